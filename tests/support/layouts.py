"""Datasets in the layouts that people have, written from the same images and boxes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import NamedTuple, Sequence, Tuple
from xml.sax.saxutils import escape

import cv2
import numpy as np

Corners = Tuple[float, float, float, float]  # x1 y1 x2 y2 in pixels, the latter two exclusive


class Labelled(NamedTuple):
    """An image of a dataset: its file name, its pixels, its boxes with their classes, and its part."""

    name: str
    size: Tuple[int, int]
    boxes: Sequence[Tuple[str, Corners]] = ()
    part: str = 'train'
    source: Path | None = None  # a file to take in place of a drawn one


def write_image(path: Path, size: Tuple[int, int], source: Path | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if source is not None:
        path.symlink_to(source)
    else:
        data = cv2.imencode('.png', np.full((size[1], size[0], 3), 127, np.uint8))[1]
        path.write_bytes(data.tobytes())  # whatever the name ends with: it is decoded by its content
    return path


def write_voc(root: Path, images: Sequence[Labelled], split: bool = True) -> Path:
    """VOC of inclusive corners; the parts go into ImageSets/Main."""
    for image in images:
        write_image(root / 'JPEGImages' / image.name, image.size, image.source)
        objects = ''.join(_voc_object(name, corners) for name, corners in image.boxes)
        (root / 'Annotations').mkdir(exist_ok=True)
        text = f'<annotation>{objects}</annotation>'
        (root / 'Annotations' / f'{Path(image.name).stem}.xml').write_text(text, encoding='utf-8')
    if split:
        (root / 'ImageSets/Main').mkdir(parents=True)
        for part in ('train', 'val'):
            names = [Path(image.name).stem for image in images if image.part == part]
            (root / f'ImageSets/Main/{part}.txt').write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')
    return root


def _voc_object(name: str, corners: Corners, more: str = '') -> str:
    values = (corners[0], corners[1], corners[2] - 1, corners[3] - 1)
    tags = ''.join(f'<{tag}>{value}</{tag}>' for tag, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), values))
    return f'<object><name>{escape(name)}</name><bndbox>{tags}</bndbox>{more}</object>'


def write_coco(root: Path, images: Sequence[Labelled], class_names: Sequence[str]) -> Path:
    """COCO as its authors lay it out: annotations/instances_<part>2017.json and <part>2017/."""
    (root / 'annotations').mkdir(parents=True, exist_ok=True)
    for part in sorted({image.part for image in images}):
        own = [image for image in images if image.part == part]
        boxes = [(number, *box) for number, image in enumerate(own, start=1) for box in image.boxes]
        content = {
            'images': [{'id': number, 'file_name': image.name} for number, image in enumerate(own, start=1)],
            'annotations': [
                {'id': number, 'image_id': image, 'category_id': class_names.index(name) + 1, 'bbox': _xywh(corners)}
                for number, (image, name, corners) in enumerate(boxes, start=1)
            ],
            'categories': [{'id': number, 'name': name} for number, name in enumerate(class_names, start=1)],
        }
        (root / f'annotations/instances_{part}2017.json').write_text(json.dumps(content), encoding='utf-8')
        for image in own:
            write_image(root / f'{part}2017' / image.name, image.size, image.source)
    return root


def _xywh(corners: Corners) -> Sequence[float]:
    x1, y1, x2, y2 = corners
    return [x1, y1, x2 - x1, y2 - y1]


def write_yolo(root: Path, images: Sequence[Labelled], class_names: Sequence[str]) -> Path:
    """YOLO with data.yaml, and six digits as its tools write them."""
    for image in images:
        write_image(root / 'images' / image.part / image.name, image.size, image.source)
        labels = root / 'labels' / image.part / f'{Path(image.name).stem}.txt'
        labels.parent.mkdir(parents=True, exist_ok=True)
        lines = [f'{class_names.index(name)} {_shares(corners, image.size)}\n' for name, corners in image.boxes]
        labels.write_text(''.join(lines), encoding='utf-8')
    names = ''.join(f'  {number}: {name}\n' for number, name in enumerate(class_names))
    text = f'path: {root}\ntrain: images/train\nval: images/val\nnames:\n{names}'
    (root / 'data.yaml').write_text(text, encoding='utf-8')
    return root


def _shares(corners: Corners, size: Tuple[int, int]) -> str:
    (x1, y1, x2, y2), (width, height) = corners, size
    values = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return ' '.join(f'{value:.6f}' for value in values)


def write_csv(root: Path, images: Sequence[Labelled]) -> Path:
    """A table for each part, an image without boxes as a row of its own."""
    for part in sorted({image.part for image in images}):
        with (root / f'{part}.csv').open('w', encoding='utf-8', newline='') as stream:
            table = csv.writer(stream)
            table.writerow(['filename', 'width', 'height', 'class', 'xmin', 'ymin', 'xmax', 'ymax'])
            for image in (image for image in images if image.part == part):
                write_image(root / image.name, image.size, image.source)
                rows = [[name, *corners] for name, corners in image.boxes] or [[''] * 5]
                table.writerows([image.name, *image.size, *row] for row in rows)
    return root
