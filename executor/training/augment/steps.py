"""The steps of a training picture: mmdet's transforms draw the random numbers, and what they ask for is composed.

Each step does what the transform of mmdet's with its name does: the same numbers in the same order, the same boxes.
Only the pixels are left for the end.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, NamedTuple, Protocol, Tuple

import numpy as np
from numpy import random

from executor.images.prepare import Letterbox, Size
from executor.training.augment.boxes import Boxes, joined
from executor.training.augment.picture import Layer, Picture, mirror, scaling, shift, whole

Transform = Any  # one of mmdet's


class Source(Protocol):
    """The images that a picture may be made of, by their number."""

    def __len__(self) -> int: ...

    def size(self, image: int) -> Size:
        """Give (width, height) on disk."""

    def boxes(self, image: int) -> Boxes:
        """Give the true boxes, in pixels on disk."""


class Sample(NamedTuple):
    """A training picture in the making."""

    picture: Picture
    boxes: Boxes
    meta: Mapping[str, object]  # what mmdet's transforms tell of themselves


Step = Callable[[Transform, Sample, Source], Sample]


def mosaic(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Put the image and three others around a centre; each is fitted into a quarter of the picture, and cut there."""
    others = transform.get_indexes(source)
    if random.uniform(0, 1) > transform.prob:
        return sample
    width, height = transform.img_scale
    canvas = (2 * width, 2 * height)
    centre = [int(random.uniform(*transform.center_ratio_range) * side) for side in (width, height)]
    layers, boxes = [], []
    images = [sample.picture.layers[0].image, *others]
    for place, image in zip(('top_left', 'top_right', 'bottom_left', 'bottom_right'), images):
        size = source.size(image)
        ratio, resized = _fitted(size, transform.img_scale)
        paste, crop = transform._mosaic_combine(place, centre, resized)
        x, y = paste[0] - crop[0], paste[1] - crop[1]
        x_scale, y_scale = resized[0] / size[0], resized[1] / size[1]
        part = (crop[0] / x_scale, crop[1] / y_scale, crop[2] / x_scale, crop[3] / y_scale)
        layers.append(Layer(image, size, shift(x, y) @ scaling(x_scale, y_scale), part))
        boxes.append(source.boxes(image).scaled(ratio, ratio).moved(x, y))
    all_boxes = joined(boxes)
    if transform.bbox_clip_border:
        all_boxes = all_boxes.clipped(canvas)
    picture = Picture(canvas, layers, grey=transform.pad_val)
    return sample._replace(picture=picture, boxes=all_boxes.inside(canvas))


def random_affine(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Rotate, scale, shear and move; a negative border cuts the picture."""
    x_border, y_border = transform.border
    size = (sample.picture.size[0] + 2 * x_border, sample.picture.size[1] + 2 * y_border)
    matrix = transform._get_random_homography_matrix(size[1], size[0])
    # mmdet applies it to the boxes as it is, but to the pixels between their centres.
    of_areas = shift(0.5, 0.5) @ matrix.astype(np.float64) @ shift(-0.5, -0.5)
    boxes = sample.boxes.projected(matrix)
    if transform.bbox_clip_border:
        boxes = boxes.clipped(size)
    picture = sample.picture.transformed(of_areas, size)._replace(grey=transform.border_val[0])
    return sample._replace(picture=picture, boxes=boxes.inside(size))


def mix_up(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Blend with another image that has boxes, at a random scale, flipped or not, cut at a random place."""
    image = transform.get_indexes(_AsMixUpAsks(source))
    boxes = source.boxes(image)
    if not len(boxes.bboxes):
        return sample
    jitter = random.uniform(*transform.ratio_range)
    is_flipped = random.uniform(0, 1) > transform.flip_ratio
    width, height = transform.dynamic_scale
    size = source.size(image)
    ratio, resized = _fitted(size, transform.dynamic_scale)
    canvas = (int(width * jitter), int(height * jitter))  # of the resized image and the grey around it
    target = sample.picture.size
    # In this order, and only where there is something to choose.
    y = random.randint(0, canvas[1] - target[1]) if canvas[1] > target[1] else 0
    x = random.randint(0, canvas[0] - target[0]) if canvas[0] > target[0] else 0
    matrix = scaling(resized[0] / size[0] * canvas[0] / width, resized[1] / size[1] * canvas[1] / height)
    boxes = boxes.scaled(ratio * jitter, ratio * jitter)
    if transform.bbox_clip_border:
        boxes = boxes.clipped(canvas)
    if is_flipped:
        matrix = mirror(canvas, True, False) @ matrix
        boxes = boxes.flipped(canvas, True, False)
    boxes = boxes.moved(-x, -y)
    if transform.bbox_clip_border:
        boxes = boxes.clipped(target)
    mixed = [whole(image, size).moved(shift(-x, -y) @ matrix)]
    picture = sample.picture._replace(mixed=mixed, grey=transform.pad_val)
    return sample._replace(picture=picture, boxes=joined([sample.boxes, boxes]).inside(target))


def _fitted(size: Size, scale: Size) -> Tuple[float, Size]:
    """Give the ratio by which boxes of an image are scaled to fit it into a size, and the size that it then has."""
    ratio = min(scale[1] / size[1], scale[0] / size[0])
    return ratio, (max(1, int(size[0] * ratio)), max(1, int(size[1] * ratio)))


class _AsMixUpAsks:
    """The source as the dataset that `MixUp.get_indexes` looks into."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, image: int) -> Dict[str, np.ndarray]:
        return {'gt_bboxes': self._source.boxes(image).bboxes}


def hsv(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Change hue, saturation and value."""
    return sample._replace(picture=sample.picture._replace(hsv=transform._get_hsv_gains()))


def random_flip(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Flip, or not."""
    direction = transform._choose_direction()
    meta = {**sample.meta, 'flip': direction is not None, 'flip_direction': direction}
    if direction is None:
        return sample._replace(meta=meta)
    ways, size = (direction != 'vertical', direction != 'horizontal'), sample.picture.size
    picture = sample.picture.transformed(mirror(size, *ways), size)
    return Sample(picture, sample.boxes.flipped(size, *ways), meta)


def resize(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Fit into a size, or stretch to it."""
    old = sample.picture.size
    size = Letterbox(transform.scale, transform.keep_ratio).resized(old)
    factor = (size[0] / old[0], size[1] / old[1])
    boxes = sample.boxes.scaled(*factor)
    if transform.clip_object_border:
        boxes = boxes.clipped(size)
    meta = {**sample.meta, 'scale': transform.scale, 'scale_factor': factor, 'keep_ratio': transform.keep_ratio}
    return Sample(sample.picture.transformed(scaling(*factor), size), boxes, meta)


def pad(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Enlarge to the right and below."""
    letterbox = Letterbox((1, 1), False, transform.pad_to_square, transform.size, transform.size_divisor or 1)
    size = letterbox.padded(sample.picture.size)
    value = transform.pad_val.get('img', 0)
    value = tuple(value) if isinstance(value, (tuple, list)) else (value,) * 3
    meta = {
        **sample.meta,
        'pad_shape': (size[1], size[0], 3),
        'pad_fixed_size': transform.size,
        'pad_size_divisor': transform.size_divisor,
    }
    return sample._replace(picture=sample.picture._replace(padded=size, padding=value), meta=meta)


def filter_annotations(transform: Transform, sample: Sample, source: Source) -> Sample:
    """Leave out boxes that have become too small."""
    x1, y1, x2, y2 = sample.boxes.bboxes.T
    width, height = transform.min_gt_bbox_wh
    return sample._replace(boxes=sample.boxes.kept((x2 - x1 > width) & (y2 - y1 > height)))
