"""Read COCO json: one file or several, with the images beside them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import List, Optional, Sequence

from desk.layouts.dataset import TRAIN, VAL, Boxes, Dataset, ListedImage, Size, not_there, parts_of, unused
from executor.contract.annotations.coco import category_names, read_coco
from executor.contract.annotations.records import Tally
from executor.contract.errors import DatasetError

_PATTERNS = ('annotations/*.json', '*.json', '*/*.json')
_VERBS = {TRAIN: 'train on', VAL: 'validate with'}


def read_coco_layout(data: Sequence[Path], images: Optional[Path] = None) -> Dataset:
    """Read json files, or those of a folder: `instances_*.json` where there are such, else all.

    Raises:
        DatasetError: a file is no COCO json, or there is none.
    """
    files = [file for place in data for file in ([place] if place.is_file() else _files(place))]
    parts = parts_of(files)
    class_names: List[str] = []
    listed: List[ListedImage] = []
    tally = Tally()
    for file, part in parts.items():
        names = category_names(file)
        if not names:
            raise DatasetError(f'{file}: no entry under categories: name a file with the classes of its boxes')
        class_names += (name for name in names if name not in class_names)
        boxes = read_coco(file, class_names, tally)
        folder = images or _image_folder(file, next(iter(boxes), ''))
        listed += (ListedImage(folder / name, str(file), partial(_given, found), part) for name, found in boxes.items())
    split = ' and '.join(f'{file} to {_VERBS[part]}' for file, part in parts.items()) if any(parts.values()) else ''
    return Dataset(tuple(class_names), listed, split, unused(files, parts), boxes_left_out=tally)


def _given(boxes: Boxes, size: Size, tally: Tally) -> Boxes:
    return boxes


def _files(folder: Path) -> Sequence[Path]:
    found = list(dict.fromkeys(file for pattern in _PATTERNS for file in sorted(folder.glob(pattern))))
    instances = [file for file in found if file.name.startswith('instances_')]
    if not found:
        raise not_there('a COCO json', [folder / pattern for pattern in _PATTERNS], 'name the file itself')
    return instances or found


def _image_folder(file: Path, name: str) -> Path:
    """Find the folder below which a file's first image lies."""
    root, part = file.parent.parent, file.stem.partition('instances_')[2]
    near = [file.parent, file.parent / 'images', root / 'images', root, root / 'assets']
    named = [folder / part for folder in near] if part else []  # train2017, of instances_train2017.json
    for folder in (*named, *near):
        if (folder / name).is_file():
            return folder
    raise not_there(f'{name}, the first image of {file},', [*named, *near], 'say --images FOLDER')
