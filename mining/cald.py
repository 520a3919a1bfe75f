"""Consistency between an image and changed views of it (Yu et al., CVPR workshops 2022).

For each box, moved into a view, and its match there: IoU plus agreement of class and confidence, compared with BALANCE.
Small differences are the informative ones: neither lost nor certain.

Departures from the paper's code (github.com/we1pingyu/CALD, cald_train.py:162-223): a view in which nothing is found
counts BALANCE instead of 0, and an image in which nothing is found ranks last instead of first. With the paper's zeros
the top of a pool is filled by empty images and by boxes that flicker at the score threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Sequence

import numpy as np

from executor.detections import Detections, iou_matrix
from mining.views import make_views
from mining.base import Batch, Needs, SeenView

BALANCE = 1.3  # the paper's base point

# IoU is in 0..1, a Jensen-Shannon divergence in nats in 0..ln 2, the two scores add up to 0..2. So what is compared
# with BALANCE is in 0..2, no difference is above max(1.3, 2 - 1.3) = 1.3, and no score -M is below -1.3.
NOTHING_FOUND = -2.0


@dataclass(frozen=True)
class CaldScorer:
    """High where what the detector finds does not stay the same when the image is changed a little."""

    needs: ClassVar[Needs] = Needs(detections=True, class_scores=True, views=make_views)

    def score(self, batch: Batch) -> np.ndarray:
        pairs = zip(batch.detections, batch.views)
        return np.array([cald_score(found, views) for found, views in pairs], np.float64)


def cald_score(reference: Detections, views: Sequence[SeenView]) -> float:
    """-M, in -1.3..0, of an image's detections and its views; NOTHING_FOUND where the image itself has no detections.

    Both sides carry class scores.
    """
    if len(reference) == 0:
        return NOTHING_FOUND
    return -float(np.mean([_view_value(reference, view) for view in views]))


def _view_value(reference: Detections, view: SeenView) -> float:
    """The smallest difference over the boxes, once a view; the predecessor added a running minimum at each box."""
    if len(view.found) == 0:
        return BALANCE  # the formula's value for no overlap and no score
    ious = iou_matrix(view.boxes, view.found.boxes)  # (N, M)
    # The first of equals: detections come by descending score, so where none overlaps it is the highest-scoring one.
    match = ious.argmax(axis=1)  # (N,)
    overlap = ious[np.arange(len(match)), match]
    divergence = js_divergence(_distribution(reference.class_scores), _distribution(view.found.class_scores[match]))
    confidence = reference.scores.astype(np.float64) + view.found.scores[match]
    return float(np.abs(overlap + 0.5 * (1 - divergence) * confidence - BALANCE).min())


def _distribution(class_scores: np.ndarray) -> np.ndarray:
    """(N, C) scores as (N, C) float64 of sum 1; a single class becomes the pair (p, 1 - p)."""
    scores = class_scores.astype(np.float64)
    if scores.shape[1] == 1:
        return np.concatenate([scores, 1 - scores], axis=1)  # (N, 2)
    return scores / np.maximum(scores.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)


def js_divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence (not its square root, the distance) in nats, 0..ln 2, between rows of (N, C): (N,)."""
    mean = (p + q) / 2
    divergence = (_relative(p, mean) + _relative(q, mean)) / 2
    return np.clip(divergence, 0.0, np.log(2))  # rounding only


def _relative(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of rows; q is above 0 wherever p is."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(axis=1)
