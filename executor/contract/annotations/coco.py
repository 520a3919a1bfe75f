"""Read `coco`, `det-coco` and `seg-coco`: one json for all images, matched by file name."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple, Union

from executor.contract.annotations.records import Skipped, TrueBox, malformed
from executor.contract.errors import DatasetError
from executor.contract.shown import shown

Key = Union[int, str]  # of an image or a category


def read_coco(path: Path, class_names: Sequence[str], skipped: Skipped) -> Mapping[str, Tuple[TrueBox, ...]]:
    """Read the boxes of a dataset, by image file name; annotations of other categories are skipped and counted.

    `bbox` is x, y, width, height already, so no corner is inclusive here.

    Raises:
        DatasetError: the file is not COCO json, or an annotation lacks what is needed.
    """
    data = _load(path)
    labels = _labels(_entries(data, 'categories', path), class_names, path)
    names = {_key(image, 'id', path): str(_key(image, 'file_name', path)) for image in _entries(data, 'images', path)}
    boxes: Dict[str, List[TrueBox]] = defaultdict(list)
    for number, annotation in enumerate(_entries(data, 'annotations', path)):
        place = f'{path}: annotations[{number}] (id {shown(annotation.get("id"))})'
        image_id = _key(annotation, 'image_id', place)
        if image_id not in names:
            raise DatasetError(f'{place}: image_id {shown(image_id)} is not among images: export the dataset again')
        category = _key(annotation, 'category_id', place)
        if category not in labels:
            skipped.add('class not in class_names', f'{place}: category_id {category!r}')
            continue
        x, y, w, h = _bbox(annotation, place)
        if w <= 0 or h <= 0:
            skipped.add('no area', place)
            continue
        boxes[names[image_id]].append(TrueBox(labels[category], x, y, x + w, y + h, annotation.get('iscrowd') == 1))
    return {name: tuple(boxes.get(name, ())) for name in names.values()}


def _load(path: Path) -> Mapping[str, object]:
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise malformed(f'{path}:{error.lineno}', f'COCO json ({error.msg}, column {error.colno})')
    except (ValueError, RecursionError) as error:  # other bytes, endless nesting, a number of thousands of digits
        raise malformed(path, f'COCO json ({error})')
    if not isinstance(data, dict):
        raise malformed(path, 'a COCO object with images and annotations', type(data).__name__)
    return data


def _entries(data: Mapping[str, object], section: str, path: Path) -> Sequence[Mapping[str, object]]:
    entries = data.get(section, [] if section == 'categories' else None)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise malformed(path, f'a list of objects under {section!r}')
    return entries


def _labels(categories: Sequence[Mapping[str, object]], class_names: Sequence[str], path: Path) -> Mapping[Key, int]:
    """Map category ids to labels: by the category's name, or by position in class_names where the file names none."""
    if not categories:
        return {label: label for label in range(len(class_names))}
    label_of = {name: label for label, name in enumerate(class_names)}
    named = {_key(category, 'id', path): str(_key(category, 'name', path)) for category in categories}
    return {key: label_of[name] for key, name in named.items() if name in label_of}


def _key(entry: Mapping[str, object], key: str, place: object) -> Key:
    value = entry.get(key)
    if not isinstance(value, (int, str)):
        raise malformed(place, repr(key), shown(value))
    return value


def _bbox(annotation: Mapping[str, object], place: str) -> Sequence[float]:
    bbox = annotation.get('bbox')
    values = bbox if isinstance(bbox, list) else []
    # The bound is for whole numbers too long for a float.
    if len(values) != 4 or not all(isinstance(value, (int, float)) and abs(value) < 1e9 for value in values):
        raise malformed(place, 'bbox [x, y, width, height]', shown(bbox))
    return [float(value) for value in values]
