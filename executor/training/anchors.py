"""Fit the anchors of a detector to the boxes of a training set, by k-means on their sizes as the network sees them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from executor import dist
from executor.contract.annotations import read_records
from executor.contract.errors import ImageError, ParameterError
from executor.contract.index import read_training_index
from executor.contract.params import TrainParams
from executor.images.decode import image_size
from executor.images.prepare import Letterbox
from executor.training.network_input import find_resize

logger = logging.getLogger(__name__)

Sizes = NDArray[np.float64]  # (N, 2) width, height in pixels of the network's input

_MOST_IMAGES = 5000  # spread over the index; more change no anchor by a pixel
_MOST_STEPS = 300
_MATCHED = 0.5  # IoU of size with the best anchor, from which YOLOv3 counts a box as matched


def fit_anchors(config: Config, params: TrainParams, index: Path) -> None:
    """Replace the anchors of a config by such as fit the boxes of an index better, and tell how well both fit.

    Raises:
        ParameterError: the detector has no anchors that are given by size.
    """
    generator = (config['model'].get('bbox_head') or {}).get('anchor_generator') or {}
    if 'base_sizes' not in generator:
        raise ParameterError(
            'anchors',
            f'anchors: auto is for detectors whose anchors are given by size, such as YOLOv3; that of config_file '
            f'({config["model"]["type"]}) has none: leave it at config',
        )
    resize = find_resize(config)
    if resize is None:
        raise ParameterError(
            'anchors', 'anchors: auto needs a test pipeline that resizes to one scale: leave it at config'
        )
    boxes = dist.from_first(lambda: _box_sizes(params, index, resize))
    old = np.array([size for level in generator['base_sizes'] for size in level], np.float64)
    if len(boxes) < len(old):
        logger.warning('anchors: %d boxes are too few to fit %d anchors to: they stay', len(boxes), len(old))
        return
    new = np.maximum(1, np.rint(cluster_sizes(boxes, len(old))))
    fits = [fit_of(boxes, anchors) for anchors in (old, new)]
    told = [f'mean IoU {mean:.3f}, {matched:.1%} of boxes above {_MATCHED}' for mean, matched in fits]
    logger.info('anchors of config_file for %d boxes: %s: %s', len(boxes), _shown(old), told[0])
    if fits[1][0] <= fits[0][0]:
        logger.info('anchors fitted to the boxes are no better (%s): those of config_file stay', told[1])
        return
    generator['base_sizes'] = by_level(new, generator['strides'], [len(level) for level in generator['base_sizes']])
    logger.info('anchors fitted to the boxes, which the training uses: %s: %s', _shown(new), told[1])


def cluster_sizes(boxes: Sizes, count: int) -> Sizes:
    """Find `count` sizes, the smallest first, of which each box has a near one; as near counts the IoU.

    It begins at boxes spread evenly over all by their area, so that it always finds the same.
    """
    by_area = boxes[np.argsort(boxes.prod(axis=1), kind='stable')]
    centres = by_area[(np.arange(count) * 2 + 1) * len(boxes) // (2 * count)]
    nearest = np.full(len(boxes), -1)
    for _ in range(_MOST_STEPS):
        before, nearest = nearest, size_iou(boxes, centres).argmax(axis=1)
        if (nearest == before).all():
            break
        # One that is nearest to no box stays where it is.
        groups = [boxes[nearest == number] for number in range(count)]
        centres = np.stack([group.mean(axis=0) if len(group) else old for group, old in zip(groups, centres)])
    return centres[np.argsort(centres.prod(axis=1), kind='stable')]


def fit_of(boxes: Sizes, anchors: Sizes) -> Tuple[float, float]:
    """Tell how well anchors fit: the mean IoU of each box with its best anchor, and the share of boxes matched."""
    best = size_iou(boxes, anchors).max(axis=1)
    return float(best.mean()), float((best > _MATCHED).mean())


def size_iou(boxes: Sizes, anchors: Sizes) -> NDArray[np.float64]:
    """Compute the IoU of each box with each anchor as if they had one centre, (N, K)."""
    overlap = np.minimum(boxes[:, None], anchors[None]).prod(axis=2)
    return overlap / (boxes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - overlap)


def by_level(anchors: Sizes, strides: Sequence[object], counts: Sequence[int]) -> List[List[Tuple[int, int]]]:
    """Part anchors, the smallest first, into levels of these strides and counts: small ones go to fine levels."""
    levels: List[List[Tuple[int, int]]] = [[] for _ in strides]
    left = [(int(width), int(height)) for width, height in anchors]
    for level in sorted(range(len(strides)), key=lambda number: _stride(strides[number])):
        levels[level], left = left[: counts[level]], left[counts[level] :]
    return levels


def _stride(stride: object) -> float:
    return max(map(float, stride)) if isinstance(stride, (list, tuple)) else float(str(stride))


def _box_sizes(params: TrainParams, index: Path, resize: Letterbox) -> Sizes:
    """Read the boxes to learn from of images spread over an index, as large as the network sees them."""
    lines = read_training_index(index)
    lines = lines[:: -(-len(lines) // _MOST_IMAGES)]
    sizes = []
    for record in read_records(lines, params.export_format, params.class_names):
        boxes = [(box.x2 - box.x1, box.y2 - box.y1) for box in record.boxes if not box.ignore]
        if not boxes:
            continue
        try:
            size = image_size(record.image)
        except ImageError:
            continue  # whoever reads the dataset for the training tells it
        sizes.append(np.array(boxes, np.float64) * resize.resized(size) / size)
    found = np.concatenate(sizes) if sizes else np.zeros((0, 2))
    return found[(found > 0).all(axis=1)]


def _shown(anchors: Sizes) -> str:
    return ' '.join(f'{width:.0f}x{height:.0f}' for width, height in anchors)
