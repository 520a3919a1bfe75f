"""Say what is told of a mining, and count what the pool and its highest scores hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections, class_counts
from mining.base import Explanation, View

SHOWN_SCORE = 0.1  # boxes of at least this are drawn and counted
COMPARED = 100  # of the first images, those that look alike are counted

_PERCENTS = (1, 5, 10)
_NUMBERS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_MIXED = (20, 100, 1000)  # of the highest, whose classes are told

MakeViews = Callable[[NDArray[np.uint8], Detections, int], List[View]]


@dataclass(frozen=True)
class Ranked:
    """An image with its score, and why it has it where the algorithm says so."""

    path: Path
    position: int  # in the index
    score: float
    found: Detections  # what the score is about
    why: Optional[Explanation] = None
    place: Optional[int] = None  # from 1, by the score alone, where the order is another


@dataclass(frozen=True)
class Varied:
    """The part of a pool with the highest scores, in an order in which each next image is unlike those before."""

    order: Sequence[int]  # positions in the index
    by_score: Sequence[int]  # the same
    alike_before: int  # of the first by the score alone, those that look like another of them
    alike_after: int  # likewise in the order

    @property
    def compared(self) -> int:
        """Count the images that are looked at for that."""
        return min(len(self.order), COMPARED)


@dataclass(frozen=True)
class MiningReport:
    """What a mining found."""

    algorithm: str
    class_names: Sequence[str]
    scores: NDArray[np.float64]  # of the images that could be decoded, falling
    undecodable: int
    nothing_found: int  # images without a box
    boxes: NDArray[np.int64]  # (classes,) of the pool, of SHOWN_SCORE and above
    labels: Sequence[NDArray[np.int64]]  # of such boxes in the highest images, image by image
    highest: Sequence[Ranked]  # the first in result.tsv
    varied: Optional[Varied] = None
    class_weights: Sequence[float] = ()  # by which the scores weigh the classes; none where all count alike
    make_views: Optional[MakeViews] = None  # where the algorithm compares views


class Cut(NamedTuple):
    """Where a part of the pool ends that people take."""

    name: str
    images: int
    lowest: float  # the lowest score in it


class Mix(NamedTuple):
    """The classes of a part of the pool."""

    name: str
    boxes: NDArray[np.int64]  # (classes,)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Give the share of each class in the boxes."""
        return self.boxes / max(1, self.boxes.sum())


def cuts(scores: NDArray[np.float64]) -> List[Cut]:
    """Find where the usual parts of a pool end, of those that are smaller than it; the smallest first."""
    sizes = {f'highest {percent} %': math.ceil(len(scores) * percent / 100) for percent in _PERCENTS}
    sizes.update({f'highest {number}': number for number in _NUMBERS})
    found = [Cut(name, size, float(scores[size - 1])) for name, size in sizes.items() if 0 < size < len(scores)]
    return sorted(found, key=lambda cut: cut.images)


def mixes(report: MiningReport) -> List[Mix]:
    """Count the boxes of each class in the pool, and in its highest 20, 100 and 1000 images where it has more."""
    found = [Mix('pool', report.boxes)]
    for images in _MIXED:
        if images < len(report.scores):
            labels = np.concatenate(report.labels[:images])
            found.append(Mix(f'highest {images}', class_counts(labels, len(report.boxes))))
    return found
