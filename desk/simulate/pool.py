"""Read the labelled images of a task: what is in them, and which show one scene."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

import numpy as np
from numpy.typing import NDArray

from desk.progress import Bar
from executor.contract.annotations import read_records
from executor.contract.annotations.records import TrueBox
from executor.contract.errors import DatasetError, ImageError
from executor.contract.index import IndexLine, read_training_index
from executor.contract.params import TrainParams
from executor.images.decode import read_image
from executor.images.look import LOOK_SIZE, look
from executor.machine.cores import available_cores
from executor.report.simulation import Point
from mining.diversity import scenes

_RARE = 0.1  # of the boxes, which the rare classes have together at most


@dataclass(frozen=True)
class Pool:
    """N images whose labels are hidden at first."""

    lines: Sequence[IndexLine]
    boxes: NDArray[np.int64]  # (N, classes) that are to be found
    scenes: NDArray[np.int64]  # (N,) the number of the scene

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def rare(self) -> List[int]:
        """Return the labels of the rarest classes that together have a tenth of the boxes at most; one at least."""
        counts = self.boxes.sum(axis=0)
        order = np.argsort(counts, kind='stable')
        order = order[counts[order] > 0]
        few = int((counts[order].cumsum() <= _RARE * counts.sum()).sum())
        return sorted(order[: max(1, few)].tolist())

    def found(self, images: Sequence[int], ap_50: float) -> Point:
        """Count what is known once these images are labelled; `ap_50` is that of the model trained on them."""
        boxes = self.boxes[list(images)]
        rare = int(boxes[:, self.rare].sum())
        return Point(len(images), ap_50, int(boxes.sum()), rare, len(np.unique(self.scenes[list(images)])))

    def first(self, count: int, seed: int) -> List[int]:
        """Choose images by chance, the same for all algorithms of a seed; one at least has boxes to learn from."""
        order = np.random.default_rng(seed).permutation(len(self)).tolist()
        has_boxes = self.boxes.sum(axis=1) > 0
        if not has_boxes[order[:count]].any():
            order.insert(count - 1, next(image for image in order if has_boxes[image]))
        return order[:count]

    def rest(self, images: Sequence[int]) -> List[int]:
        """List the images that are not labelled yet, in the order of the index."""
        taken = set(images)
        return [image for image in range(len(self)) if image not in taken]


def read_pool(index: Path, params: TrainParams, bar: Bar) -> Pool:
    """Read the images of a training index with their boxes; one that is listed twice counts once.

    Raises:
        DatasetError: an annotation is malformed, or there are no boxes.
    """
    lines = list({line.image: line for line in read_training_index(index)}.values())
    records = read_records(lines, params.export_format, params.class_names)
    boxes = count_boxes([record.boxes for record in records], len(params.class_names))
    if not boxes.any():
        raise DatasetError(f'none of the {len(lines)} images of {index} has a box: name a task that has labels')
    with bar.told('images'):
        return Pool(lines, boxes, scenes(_looks([line.image for line in lines], bar)))


def count_boxes(images: Sequence[Sequence[TrueBox]], classes: int) -> NDArray[np.int64]:
    """Count the boxes of each class that are to be found in N images, (N, classes)."""
    counts = np.zeros((len(images), classes), np.int64)
    for number, boxes in enumerate(images):
        for box in boxes:
            counts[number, box.label] += not box.ignore
    return counts


def _looks(images: Sequence[Path], bar: Bar) -> NDArray[np.int8]:
    """Tell what each image looks like; those that cannot be decoded, of which a training tells, look alike."""
    looks = np.ones((len(images), LOOK_SIZE), np.int8)
    with ThreadPoolExecutor(available_cores()) as pool:
        for number, found in enumerate(pool.map(_look, images)):
            looks[number] = found
            bar.update((number + 1) / len(images))
    return looks


def _look(image: Path) -> NDArray[np.int8]:
    try:
        return look(read_image(image))
    except ImageError:
        return np.ones(LOOK_SIZE, np.int8)
