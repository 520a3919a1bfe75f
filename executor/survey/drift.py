"""Measure how far the boxes of one set are distributed otherwise than those of another, from 0 to 1."""

from __future__ import annotations

import math
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray


class Drift(NamedTuple):
    """How far two sets differ, and how far two random draws of as many boxes would on average."""

    distance: float
    by_chance: float


def class_drift(training: NDArray[np.int64], validation: NDArray[np.int64]) -> Optional[Drift]:
    """Compare boxes of each class, (K,): by the share of boxes that would have to be of another class to agree."""
    boxes = training.sum(), validation.sum()
    if not all(boxes):
        return None
    distance = np.abs(training / boxes[0] - validation / boxes[1]).sum() / 2
    share = (training + validation) / sum(boxes)
    # The mean of |x| is sqrt(2 / pi) times the deviation of x, which has the variance of a share in each of the sets.
    deviation = np.sqrt(share * (1 - share) * (1 / boxes[0] + 1 / boxes[1]))
    return Drift(float(distance), min(1.0, float(math.sqrt(2 / math.pi) * deviation.sum() / 2)))


def size_drift(training: NDArray[np.float64], validation: NDArray[np.float64]) -> Optional[Drift]:
    """Compare sizes: by the largest difference of the shares up to a size, which is Kolmogorov and Smirnov's."""
    if not (len(training) and len(validation)):
        return None
    training, validation = np.sort(training), np.sort(validation)
    sizes = np.concatenate([training, validation])
    upto = [np.searchsorted(values, sizes, side='right') / len(values) for values in (training, validation)]
    # The mean of Kolmogorov's distribution is sqrt(pi / 2) * ln 2.
    by_chance = math.sqrt(math.pi / 2) * math.log(2) * math.sqrt(1 / len(training) + 1 / len(validation))
    return Drift(float(np.abs(upto[0] - upto[1]).max()), min(1.0, by_chance))
