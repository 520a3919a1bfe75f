"""Score by how little an image and changed views of it agree (Yu et al., CVPR workshops 2022).

For each box, moved into a view, and its match there: IoU plus agreement of class and confidence, compared with BALANCE.
Small differences are the informative ones: neither lost nor certain. With class weights w a difference of d counts as
BALANCE - w (BALANCE - d): what it is short of the least informative one, times the weight of the box's class.

Departures from the paper's code (github.com/we1pingyu/CALD, cald_train.py:162-223): a view in which nothing is found
counts BALANCE instead of 0, and an image in which nothing is found ranks last instead of first. With the paper's zeros
the top of a pool is filled by empty images and by boxes that flicker at the score threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections, iou_matrix
from mining.base import Candidates, Explanation, SeenView, ShownView, View, generator
from mining.catalog import Settings
from mining.class_weights import weights_of
from mining.views import NAMES, make_views

BALANCE = 1.3  # the paper's base point

# IoU is in 0..1, a Jensen-Shannon divergence in nats in 0..ln 2, the two scores add up to 0..2. So what is compared
# with BALANCE is in 0..2, no difference is above max(1.3, 2 - 1.3) = 1.3, and no score -M is below -1.3, whatever the
# weights.
NOTHING_FOUND = -2.0


def scorer(settings: Settings) -> CaldScorer:
    """Build the scorer of `mining_algorithm: cald`."""
    return CaldScorer(settings.seed, settings.class_weights)


@dataclass(frozen=True)
class CaldScorer:
    """High where the detections do not stay the same when the image is changed a little."""

    seed: int  # of the random parts of the views
    class_weights: Tuple[float, ...] = ()

    def make_views(self, image: NDArray[np.uint8], detections: Detections, position: int) -> List[View]:
        return make_views(image, detections, generator(self.seed, position))

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        return np.array([one.score for one in self.explain(candidates)], np.float64)

    def explain(self, candidates: Candidates) -> List[Explanation]:
        return [explain_cald(*pair, self.class_weights) for pair in zip(candidates.detections, candidates.views)]


def cald_score(reference: Detections, views: Sequence[SeenView]) -> float:
    """Compute -M, in -1.3..0, of an image's detections and its views; NOTHING_FOUND where there are no detections."""
    return explain_cald(reference, views).score


def explain_cald(reference: Detections, views: Sequence[SeenView], class_weights: Sequence[float] = ()) -> Explanation:
    """Compute the score, and show the view that differed most: whose deciding box agrees least."""
    if len(reference) == 0:
        return Explanation(NOTHING_FOUND, 'nothing is found')
    weights = weights_of(reference.labels, class_weights)
    decisive = [_decisive_box(reference, view, weights) for view in views]
    score = -float(np.mean([one.difference for one in decisive]))
    number = min(range(len(views)), key=lambda view: decisive[view].agreement)
    least, seen = decisive[number], views[number]
    by_weight = [f' (weight {weights[one.box]:.3g})' if len(class_weights) else '' for one in decisive]
    words = ', '.join(f'{name} {one.agreement:.2f}{times}' for name, one, times in zip(NAMES, decisive, by_weight))
    shown = SeenView(seen.boxes, replace(seen.found, class_scores=None))
    return Explanation(score, f'agreement {words}', view=ShownView(number, shown, least.box, least.match))


class _Decisive(NamedTuple):
    """The box by which a view counts, and how well it agrees with its match there, 0..2."""

    box: int
    match: Optional[int]
    agreement: float
    difference: float  # from BALANCE, by weight


def _decisive_box(reference: Detections, view: SeenView, weights: NDArray[np.float64]) -> _Decisive:
    """Find the box whose agreement is nearest to BALANCE; the predecessor added a running minimum for each box."""
    if len(view.found) == 0:
        return _Decisive(0, None, 0.0, BALANCE)  # the formula's value for no overlap and no score
    assert reference.class_scores is not None and view.found.class_scores is not None  # as the catalog asks
    ious = iou_matrix(view.boxes, view.found.boxes)  # (N, M)
    # The first of equals: detections come by descending score, so where none overlaps it is the highest-scoring one.
    match = ious.argmax(axis=1)  # (N,)
    overlap = ious[np.arange(len(match)), match]
    divergence = js_divergence(_distribution(reference.class_scores), _distribution(view.found.class_scores[match]))
    confidence = reference.scores.astype(np.float64) + view.found.scores[match]
    agreement = overlap + 0.5 * (1 - divergence) * confidence
    difference = weights * np.abs(agreement - BALANCE) + (1 - weights) * BALANCE  # exact for a weight of 1
    box = int(difference.argmin())
    return _Decisive(box, int(match[box]), float(agreement[box]), float(difference[box]))


def _distribution(class_scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scale (N, C) scores to (N, C) of sum 1; a single class becomes the pair (p, 1 - p)."""
    scores = class_scores.astype(np.float64)
    if scores.shape[1] == 1:
        return np.concatenate([scores, 1 - scores], axis=1)  # (N, 2)
    return scores / np.maximum(scores.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)


def js_divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the Jensen-Shannon divergence (not its square root) of rows of (N, C), in nats, 0..ln 2: (N,)."""
    mean = (p + q) / 2
    divergence = (_kl_divergence(p, mean) + _kl_divergence(q, mean)) / 2
    return np.clip(divergence, 0.0, np.log(2))  # rounding only


def _kl_divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the Kullback-Leibler divergence of rows of (N, C); q is above 0 wherever p is."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(axis=1)
