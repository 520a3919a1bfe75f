"""Read YOLO: data.yaml with train, val and names, and a text file of normalised boxes or polygons an image."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from desk.layouts.dataset import (
    IMAGE_SUFFIXES,
    TRAIN,
    VAL,
    Boxes,
    Dataset,
    ListedImage,
    Size,
    files_below,
    lines_of,
    not_there,
)
from desk.usage import UsageError
from executor.contract import parsers
from executor.contract.annotations.records import Tally, TrueBox
from executor.contract.errors import DatasetError
from executor.contract.shown import shown
from executor.contract.yaml_file import YamlMapping, read_yaml_mapping

_WANTED = 'class x y width height, or class x1 y1 x2 y2 x3 y3 ..., each part of the image from 0 to 1'
_BEYOND = 0.5  # of the image, by which a corner may be outside of it
# Of a pixel: what six digits of a share still tell, so that whole pixels are whole again.
_DIGITS = 2


def read_yolo_layout(data: Sequence[Path], images: Optional[Path] = None) -> Dataset:
    """Read data.yaml, or the folder that holds it; a folder with classes.txt in its place has no split.

    Raises:
        DatasetError: a label file is malformed, or what data.yaml names is not there.
        ConfigError: data.yaml cannot be read.
    """
    if len(data) != 1:
        raise UsageError('--from yolo takes one data.yaml, or the folder that holds it: name that')
    file = data[0] if data[0].is_file() else _data_file(data[0])
    if file.suffix == '.txt':
        class_names = tuple(filter(None, map(str.strip, lines_of(file))))
        places: List[Tuple[str, Sequence[Path]]] = [('', [images or file.parent])]
        split, warnings = '', []
    else:
        source = read_yaml_mapping(file)
        class_names = source.parse('names', _names)
        places = [(part, _places(source, part)) for part in (TRAIN, VAL) if source.values.get(part)]
        if not places or places[0][0] != TRAIN:
            raise DatasetError(f'{file}: no key train: name there the folder of the images to train on')
        split = f'train and val of {file}' if len(places) > 1 else ''
        warnings = [f'the images under test in {file} are not used'] if source.values.get('test') else []
    listed: List[ListedImage] = []
    for part, folders in places:
        found = [image for folder in folders for image in _images(folder)]
        if not found:
            where = ', '.join(map(str, folders))
            raise DatasetError(
                f'{where}, which {file} names, holds no image ({", ".join(IMAGE_SUFFIXES)}): mend it there'
            )
        for image in found:
            read = partial(_read, _label_file(image), len(class_names))
            listed.append(ListedImage(image, str(file), read, part if split else ''))
    return Dataset(class_names, listed, split, warnings)


def _data_file(folder: Path) -> Path:
    found = [folder / name for name in ('data.yaml', 'dataset.yaml', 'data.yml')]
    found += sorted({*folder.glob('*.yaml'), *folder.glob('*.yml')} - set(found))
    found += [folder / 'classes.txt', folder / 'labels' / 'classes.txt']
    there = next((file for file in found if file.is_file()), None)
    if there is None:
        raise not_there('data.yaml', found, 'write one, with the lines train: FOLDER, val: FOLDER, names: [a, b]')
    return folder / 'classes.txt' if there.name == 'classes.txt' and there.parent == folder else there


def _names(value: object) -> Tuple[str, ...]:
    if isinstance(value, dict):
        if sorted(value, key=str) != sorted(range(len(value)), key=str):
            raise ValueError(f'a list of names, or names by their numbers from 0 to {len(value) - 1}')
        value = [value[number] for number in range(len(value))]
    names = parsers.texts(value if isinstance(value, list) else None)
    if not names or len(names) < len(value if isinstance(value, list) else ()):
        raise ValueError('a list of names, none of them empty')
    return names


def _places(source: YamlMapping, key: str) -> Sequence[Path]:
    """Find the folders and lists of images that data.yaml names, below its `path` or beside it."""
    value, root = source.values.get(key), source.path.parent
    base = root / str(source.values.get('path') or '')
    places = []
    for name in value if isinstance(value, list) else [value]:
        text = str(name).replace('\\', '/')
        # Roboflow writes ../train/images for what lies beside data.yaml.
        looked = [base / text, root / text, root / text.rpartition('../')[2]]
        place = next((place for place in looked if place.exists()), None)
        if place is None:
            raise not_there(f'{source.where(key)}: {key}: {shown(name)}', looked, 'mend the path there')
        places.append(place)
    return places


def _images(place: Path) -> Sequence[Path]:
    """List the images of a folder, or those that a text file lists."""
    if place.is_dir():
        return list(files_below(place, IMAGE_SUFFIXES))
    names = filter(None, (line.strip() for line in lines_of(place)))
    return [place.parent / name for name in names] if place.suffix == '.txt' else [place]


def _label_file(image: Path) -> Path:
    """Name the file of an image's boxes: below `labels` where the image is below `images`, else beside it."""
    folders = list(image.parent.parts)
    for number in reversed(range(len(folders))):
        if folders[number] == 'images':
            folders[number] = 'labels'
            labels = Path(*folders, f'{image.stem}.txt')
            if labels.is_file():
                return labels
    return image.with_suffix('.txt')


def _read(file: Path, classes: int, size: Size, tally: Tally) -> Boxes:
    """Read the boxes of an image; without a file it has no objects."""
    boxes = []
    for number, line in enumerate(lines_of(file) if file.is_file() else (), start=1):
        if not line.strip():
            continue
        place = f'{file}:{number}'
        label, *shares = _numbers(line, place)
        if not label.is_integer() or not 0 <= label < classes:
            tally.leave_out(f'class number is none of names, 0 to {classes - 1}', place)
            continue
        x1, y1, x2, y2 = _corners(shares)
        width, height = size
        x1, x2 = round(x1 * width, _DIGITS), round(x2 * width, _DIGITS)
        y1, y2 = round(y1 * height, _DIGITS), round(y2 * height, _DIGITS)
        if x2 <= x1 or y2 <= y1:
            tally.leave_out('no area', place)
            continue
        boxes.append(TrueBox(int(label), x1, y1, x2, y2))
    return tuple(boxes)


def _numbers(line: str, place: str) -> Sequence[float]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        values = []
    sound = len(values) == 5 or (len(values) >= 7 and len(values) % 2)
    if not sound or not math.isfinite(values[0]) or not all(-_BEYOND <= value <= 1 + _BEYOND for value in values[1:]):
        raise DatasetError(f'{place}: expected {_WANTED}, found {shown(line.strip())}: mend the line, or take it out')
    return values


def _corners(shares: Sequence[float]) -> Tuple[float, float, float, float]:
    """Return the corners of a box, or of the box around a polygon."""
    if len(shares) > 4:
        return min(shares[0::2]), min(shares[1::2]), max(shares[0::2]), max(shares[1::2])
    x, y, width, height = shares
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
