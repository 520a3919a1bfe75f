"""Read `voc` and `det-voc`: one VOC xml an image; the class is given by name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Sequence, Tuple
from xml.etree import ElementTree

from executor.contract.annotations.records import Skipped, TrueBox, inclusive_box, malformed
from executor.contract.errors import DatasetError
from executor.contract.shown import shown


def read_voc(path: Path, class_names: Sequence[str], skipped: Skipped) -> Tuple[TrueBox, ...]:
    """Read the boxes of one file, which may be empty; objects of other classes are skipped and counted.

    Raises:
        DatasetError: the file is not VOC xml, or an object lacks its name or corners.
    """
    data = path.read_bytes()
    if not data.strip():
        return ()
    label_of = {name: label for label, name in enumerate(class_names)}
    boxes = []
    for number, element in enumerate(_root(data, path).iter('object'), start=1):
        place = f'{path}, object {number}'
        name = (element.findtext('name') or '').strip()
        if not name:
            raise malformed(place, '<name> with one of the classes', 'none')
        if name not in label_of:
            skipped.add('class not in class_names', f'{place}: {name}')
            continue
        difficult = (element.findtext('difficult') or '').strip() == '1'
        corners = [_corner(element, tag, place) for tag in ('xmin', 'ymin', 'xmax', 'ymax')]
        box = inclusive_box(label_of[name], corners, ignore=difficult)
        if box.x2 <= box.x1 or box.y2 <= box.y1:
            skipped.add('no area', place)
            continue
        boxes.append(box)
    return tuple(boxes)


def _root(data: bytes, path: Path) -> ElementTree.Element:
    class NoDocumentType(ElementTree.TreeBuilder):
        # A document type is where entity expansion comes from, and no VOC file has one. Asked of the parser: looking
        # for its letters in the bytes would miss UTF-16.
        def doctype(self, *args: object) -> None:
            refused = 'document type declarations are not allowed in annotations'
            raise DatasetError(f'{path}: {refused}: remove <!DOCTYPE ...>')

    try:
        return ElementTree.fromstring(data, parser=ElementTree.XMLParser(target=NoDocumentType()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        line = getattr(error, 'position', (1, 0))[0]
        raise malformed(f'{path}:{line}', f'VOC xml ({error})')


def _corner(element: ElementTree.Element, tag: str, place: str) -> float:
    text = element.findtext(f'bndbox/{tag}')
    try:
        value = float(text or '')
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise malformed(place, f'a number in <bndbox><{tag}>', shown(text))
    return value
