"""aldd as its definition reads, in numpy and double precision: what the fast ways are compared with.

Nothing of `mining` is used here. Slow: 81 additions a pixel for each mean over a window.
"""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np

Level = Tuple[np.ndarray, Optional[np.ndarray]]  # class logits (C, h, w), objectness logits (h, w)


def aldd_by_definition(levels: Sequence[Level], size: Tuple[int, int], weights: Sequence[float]) -> float:
    """The score of one image whose input is (height, width); one weight a class."""
    return sum(weight * value for weight, value in zip(weights, class_values(levels, size)))


def class_values(levels: Sequence[Level], size: Tuple[int, int]) -> list:
    """For each class, the mean over cells of the largest uncertainty."""
    values = []
    for c in range(len(levels[0][0])):
        uncertainty = sum(_uncertainty(_resized(_probability(level, c), size)) for level in levels)
        cells = [
            uncertainty[y : y + 32, x : x + 32].max() for y in range(0, size[0], 32) for x in range(0, size[1], 32)
        ]
        values.append(float(np.mean(cells)))
    return values


def _probability(level: Level, c: int) -> np.ndarray:
    class_logits, objectness_logits = level
    p = 1 / (1 + np.exp(-class_logits[c].astype(np.float64)))
    if objectness_logits is not None:
        p = p / (1 + np.exp(-objectness_logits.astype(np.float64)))
    return p


def _resized(p: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Bilinear, pixel centres at halves, the outermost values continued to the border."""
    for axis in (0, 1):
        place = (np.arange(size[axis]) + 0.5) * p.shape[axis] / size[axis] - 0.5
        p = np.apply_along_axis(lambda line, at=place: np.interp(at, np.arange(len(line)), line), axis, p)
    return p


def _uncertainty(p: np.ndarray) -> np.ndarray:
    return _entropy(_window_mean(p)) - _window_mean(_entropy(p))


def _window_mean(values: np.ndarray) -> np.ndarray:
    """Over the pixels of the 9 x 9 window that lie in the image."""
    height, width = values.shape
    total, count = np.zeros_like(values), np.zeros_like(values)
    for dy in range(-4, 5):
        for dx in range(-4, 5):
            here = np.s_[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
            there = np.s_[max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
            total[here] += values[there]
            count[here] += 1
    return total / count


def _entropy(p: np.ndarray) -> np.ndarray:
    """Natural logarithm."""
    p = np.clip(p, 1e-300, 1)
    rest = np.clip(1 - p, 1e-300, 1)
    return -p * np.log(p) - (1 - p) * np.log(rest)
