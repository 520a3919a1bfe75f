"""Compute aldd as its definition reads (Aghdam et al., ICCV 2019), in numpy and double precision.

The fast ways are tested against this one, which therefore uses nothing of them; docs/aldd.md has the formulas. For each
class and level of the head, p = sigmoid(objectness) sigmoid(class) is resized to the network's input, of H x W pixels.
There the uncertainty is H(mean p) - mean H(p), with the binary entropy H in nats and means over a window of 9 x 9
pixels, summed over the levels. A class's value is the mean over cells of 32 x 32 pixels of the largest uncertainty; the
score is the sum of the classes' values by their weights.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Level = Tuple[NDArray[np.floating], Optional[NDArray[np.floating]]]  # class logits (C, h, w), objectness logits (h, w)

CELL = 32
REACH = 4  # pixels from the middle of a window to its sides


def aldd_by_definition(levels: Sequence[Level], size: Tuple[int, int], weights: Sequence[float]) -> float:
    """Compute the score of one image whose input is (height, width), with one weight a class."""
    return sum(weight * value for weight, value in zip(weights, class_values(levels, size)))


def class_values(levels: Sequence[Level], size: Tuple[int, int]) -> List[float]:
    """Compute for each class the mean over cells of the largest uncertainty."""
    values = []
    for c in range(len(levels[0][0])):
        uncertainty = np.zeros(size)  # (H, W)
        for level in levels:
            uncertainty += _uncertainty(_resized(_probability(level, c), size))
        starts = [(y, x) for y in range(0, size[0], CELL) for x in range(0, size[1], CELL)]
        values.append(float(np.mean([uncertainty[y : y + CELL, x : x + CELL].max() for y, x in starts])))
    return values


def _probability(level: Level, c: int) -> Floats:
    """Compute (h, w) probabilities that an object of class c is at each position of a level."""
    class_logits, objectness_logits = level
    p = 1 / (1 + np.exp(-class_logits[c].astype(np.float64)))
    if objectness_logits is not None:
        p = p / (1 + np.exp(-objectness_logits.astype(np.float64)))
    return p


def _resized(p: Floats, size: Tuple[int, int]) -> Floats:
    """Resize (h, w) to (H, W) bilinearly, pixel centres at halves, the outermost values continued to the border."""
    for axis in (0, 1):
        place = (np.arange(size[axis]) + 0.5) * p.shape[axis] / size[axis] - 0.5
        p = np.apply_along_axis(lambda line, at=place: np.interp(at, np.arange(len(line)), line), axis, p)
    return p


def _uncertainty(p: Floats) -> Floats:
    """Compute what the pixels of each window disagree about, (H, W)."""
    return _entropy(_window_mean(p)) - _window_mean(_entropy(p))


def _window_mean(values: Floats) -> Floats:
    """Average (H, W) over those pixels of each 9 x 9 window that lie in the image: along one axis, then the other."""
    rows, columns = (_averaging(pixels) for pixels in values.shape)
    return rows @ values @ columns.T


def _averaging(pixels: int) -> Floats:
    """Give each pixel of a line, (n, n), equal weights for those that lie at most REACH beside it."""
    place = np.arange(pixels)
    near = abs(place[:, None] - place) <= REACH
    return near / near.sum(axis=1, keepdims=True)


def _entropy(p: Floats) -> Floats:
    """Compute the entropy of a coin that shows heads with probability p, in nats."""
    p = np.clip(p, 1e-300, 1)
    rest = np.clip(1 - p, 1e-300, 1)
    return -p * np.log(p) - (1 - p) * np.log(rest)
