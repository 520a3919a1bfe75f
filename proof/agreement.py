"""How well two machines agree: on ranks of images, and on boxes."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections

PIXELS, SCORE = 1.0, 0.01  # within which two boxes are the same


def rank_correlation(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Compute Spearman's correlation of (N,) scores each; equal ones share the mean of their ranks.

    1 where both give all images one score: nobody could rank them otherwise.
    """
    first, second = (_ranks(np.asarray(scores, np.float64)) for scores in (ours, theirs))
    first, second = first - first.mean(), second - second.mean()
    spread = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / spread) if spread else float(not first.any() and not second.any())


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[group]


def share_of_same_boxes(
    ours: Mapping[str, Detections], theirs: Mapping[str, Detections], least: float, pixels: float = PIXELS
) -> float:
    """Give the share of the boxes of both, of those scored `least` and above, that the other one has, too.

    The other may score its box lower, as far as `SCORE` lets it. 1 where there are no boxes.
    """
    assert set(ours) == set(theirs), 'both are of the same images'
    same = total = 0
    for one, other in ((ours, theirs), (theirs, ours)):
        for image, found in one.items():
            chosen = found.select(found.scores >= least)
            same += _matched(chosen, other[image], pixels)
            total += len(chosen)
    return same / total if total else 1.0


def _matched(found: Detections, others: Detections, pixels: float) -> int:
    """Count the boxes that have one among the others to themselves, the best scored choosing first."""
    free = np.ones(len(others), bool)
    for box, score, label in zip(found.boxes, found.scores, found.labels):
        distance = np.abs(others.boxes - box).max(axis=1, initial=0)
        fits = free & (distance <= pixels) & (np.abs(others.scores - score) <= SCORE) & (others.labels == label)
        if fits.any():
            free[np.where(fits, distance, np.inf).argmin()] = False
    return int((~free).sum())
