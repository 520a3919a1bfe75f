"""Read `voc` and `det-voc`: one VOC xml an image; the class is given by name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Optional, Sequence, Tuple
from xml.etree import ElementTree

from executor.contract import parsers
from executor.contract.annotations.records import MOST_BYTES, Tally, TrueBox, fits, inclusive_box, malformed
from executor.contract.errors import DatasetError
from executor.contract.regular_file import read_regular
from executor.contract.shown import shown


def read_voc(path: Path, class_names: Sequence[str], tally: Tally) -> Tuple[TrueBox, ...]:
    """Read the boxes of one file, which may be empty; objects of other classes are skipped and counted.

    Raises:
        DatasetError: the file is not VOC xml, or an object lacks its name or corners, or has several.
    """
    data = read_regular(path, MOST_BYTES)
    if not data.strip():
        return ()
    label_of = {name: label for label, name in enumerate(class_names)}
    boxes = []
    for number, element in enumerate(_root(data, path).iter('object'), start=1):
        place = f'{path}, object {number}'
        name = _text(_only(element, 'name', place))
        if not name:
            raise malformed(place, '<name> with one of the classes', 'none')
        tally.meet(name)
        if name not in label_of:
            tally.leave_out('class not in class_names', place, name)
            continue
        bndbox = _only(element, 'bndbox', place)
        corners = [_corner(bndbox, tag, place) for tag in ('xmin', 'ymin', 'xmax', 'ymax')]
        box = inclusive_box(label_of[name], corners, ignore=_difficult(element, place))
        if box.x2 <= box.x1 or box.y2 <= box.y1:
            tally.leave_out('no area', place)
            continue
        boxes.append(box)
    return tuple(boxes)


class _NoDocumentType(ElementTree.TreeBuilder):
    """Refuses a document type: entity expansion comes from there, and no VOC file has one.

    Asked of the parser: looking for its letters in the bytes would miss UTF-16.
    """

    def doctype(self, *args: object) -> None:
        raise DatasetError('document type declarations are not allowed in annotations: remove <!DOCTYPE ...>')


def _root(data: bytes, path: Path) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(data, parser=ElementTree.XMLParser(target=_NoDocumentType()))
    except DatasetError as error:
        raise DatasetError(f'{path}: {error}')
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        line = getattr(error, 'position', (1, 0))[0]
        raise malformed(f'{path}:{line}', f'VOC xml ({error})')
    if root.tag != 'annotation':  # which would be an image without objects
        raise malformed(path, 'VOC xml with <annotation>', f'<{shown(root.tag)[1:-1]}>')
    return root


def _only(element: Optional[ElementTree.Element], tag: str, place: str) -> Optional[ElementTree.Element]:
    """Return the child of this tag, None where there is none; several would say different things."""
    found = [] if element is None else element.findall(tag)
    if len(found) > 1:
        raise malformed(place, f'one <{tag}>', str(len(found)))
    return found[0] if found else None


def _text(element: Optional[ElementTree.Element]) -> str:
    return '' if element is None else (element.text or '').strip()


def _difficult(element: ElementTree.Element, place: str) -> bool:
    text = _text(_only(element, 'difficult', place))
    try:
        return bool(text) and parsers.flag(text)
    except ValueError:
        raise malformed(place, '0 or 1 in <difficult>', shown(text))


def _corner(bndbox: Optional[ElementTree.Element], tag: str, place: str) -> float:
    element = _only(bndbox, tag, place)
    text = None if element is None else element.text or ''
    try:
        value = float(text or '')
    except ValueError:
        value = math.nan
    if not fits(value):
        raise malformed(place, f'a number in <bndbox><{tag}>', shown(text))
    return value
