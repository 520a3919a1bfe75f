"""Read `coco`, `det-coco` and `seg-coco`: one json for all images, matched by file name."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple, Union

from executor.contract.annotations.records import Tally, TrueBox, fits, malformed
from executor.contract.errors import DatasetError
from executor.contract.regular_file import read_regular
from executor.contract.shown import shown

_MOST_BYTES = 2**33  # half as much again as the largest of the known datasets has (Objects365)

Entry = Mapping[str, object]


def read_coco(path: Path, class_names: Sequence[str], tally: Tally) -> Mapping[str, Tuple[TrueBox, ...]]:
    """Read the boxes of a dataset, by image file name; annotations of other categories are skipped and counted.

    `bbox` is x, y, width, height already, so no corner is inclusive here.

    Raises:
        DatasetError: the file is not COCO json, an annotation lacks what is needed, or what must be unique repeats.
    """
    data = _load(path)
    label_of = {name: label for label, name in enumerate(class_names)}
    # Where none are listed, the ids are positions in class_names.
    listed = _by_id(data, 'categories', 'name', path)
    categories = listed or {str(label): name for name, label in label_of.items()}
    names = _by_id(data, 'images', 'file_name', path)
    boxes: Dict[str, List[TrueBox]] = defaultdict(list)
    for number, annotation in enumerate(_entries(data, 'annotations', path)):
        place = _Place(path, number, annotation)
        image_id, category_id = _key(annotation, 'image_id', place), _key(annotation, 'category_id', place)
        if image_id not in names:
            raise _not_among('images', annotation, 'image_id', place)
        if listed and category_id not in listed:
            raise _not_among('categories', annotation, 'category_id', place)
        category = categories.get(category_id, f'category_id {category_id}')
        tally.meet(category)
        if category not in label_of:
            tally.leave_out('class not in class_names', place, category)
            continue
        x, y, w, h = _bbox(annotation, place)
        if w <= 0 or h <= 0:
            tally.leave_out('no area', place)
            continue
        boxes[names[image_id]].append(TrueBox(label_of[category], x, y, x + w, y + h, _is_crowd(annotation, place)))
    return {name: tuple(boxes.get(name, ())) for name in names.values()}


def category_names(path: Path) -> Tuple[str, ...]:
    """Return the names under `categories`, in their order.

    Raises:
        DatasetError: the file is not COCO json, or two categories have one id or one name.
    """
    return tuple(_by_id(_load(path), 'categories', 'name', path).values())


class _Place(NamedTuple):
    """Where an annotation stands, as text for messages alone: there may be millions."""

    path: Path
    number: int
    annotation: Entry

    def __str__(self) -> str:
        return f'{self.path}: annotations[{self.number}] (id {shown(self.annotation.get("id"))})'


def _load(path: Path) -> Entry:
    try:
        text = read_regular(path, _MOST_BYTES).decode('utf-8-sig')
        data = json.loads(text, parse_int=_whole, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise malformed(f'{path}:{error.lineno}', f'COCO json ({error.msg}, column {error.colno})')
    except (ValueError, RecursionError) as error:  # other bytes, a key that repeats, endless nesting
        raise malformed(path, f'COCO json ({error})')
    if not isinstance(data, dict):
        raise malformed(path, 'a COCO object with images and annotations', type(data).__name__)
    return data


def _whole(text: str) -> Union[int, float]:
    return int(text) if len(text) < 20 else float(text)  # which takes no time for thousands of digits


def _object(pairs: Sequence[Tuple[str, object]]) -> Entry:
    entry = dict(pairs)
    if len(entry) < len(pairs):
        ((repeated, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f'the key {shown(repeated)} is there twice in one object')
    return entry


def _entries(data: Entry, section: str, path: Path) -> Sequence[Entry]:
    entries = data.get(section, [] if section == 'categories' else None)
    if not isinstance(entries, list) or not set(map(type, entries)) <= {dict}:
        raise malformed(path, f'a list of objects under {section!r}')
    return entries


def _by_id(data: Entry, section: str, key: str, path: Path) -> Dict[str, str]:
    """Return the `key` of each entry of a section by its id; neither may repeat, for one would hide the other."""
    ids: Dict[str, int] = {}
    values: Dict[str, int] = {}
    for number, entry in enumerate(_entries(data, section, path)):
        place = f'{path}: {section}[{number}]'
        for name, found in (('id', ids), (key, values)):
            value = _key(entry, name, place)
            if value in found:
                raise DatasetError(
                    f'{place}: {name} {shown(value)} is that of {section}[{found[value]}] already: export the dataset '
                    'again'
                )
            found[value] = number
    return dict(zip(ids, values))


def _key(entry: Entry, key: str, place: object) -> str:
    """Return an id or a name as text: 1, 1.0 and '1' are the same."""
    value = entry.get(key)
    if type(value) is int:  # as most are
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise malformed(place, repr(key), shown(value))
    return str(value)


def _not_among(section: str, annotation: Entry, key: str, place: object) -> DatasetError:
    return DatasetError(f'{place}: {key} {shown(annotation[key])} is not among {section}: export the dataset again')


def _bbox(annotation: Entry, place: object) -> Iterator[float]:
    bbox = annotation.get('bbox')
    values = bbox if isinstance(bbox, list) else []
    if len(values) != 4 or not set(map(type, values)) <= {int, float} or not all(map(fits, values)):
        raise malformed(place, 'bbox [x, y, width, height]', shown(bbox))
    return map(float, values)


def _is_crowd(annotation: Entry, place: object) -> bool:
    value = annotation.get('iscrowd')
    if value not in (None, 0, 1):
        raise malformed(place, 'iscrowd 0 or 1', shown(value))
    return value == 1
