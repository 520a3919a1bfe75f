"""Compute aldd fast: every pixel of the cells that count, and an estimate of the others, or nothing.

Almost all of a score comes from few of the classes x cells. Which these are, and what the rest adds, is the difference
between the two ways: the exact one leaves out what is proven to change the score by less than TOLERANCE, the quick one
what an estimate says is small, and adds the estimate. Letters: L levels, C classes, R rows and K columns of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from executor.detections import HeadMap
from mining.aldd.cells import CELL, HeightWidth, Levels, cell_maxima
from mining.aldd.estimate import bound, estimate
from mining.base import Candidates, Explanation, Heat

TOLERANCE = 1e-3  # relative error of an exact score, at most

_SHARE = 1 / 1000  # of all estimates, or of all bounds: a cell that has more is computed at every pixel
_SMALL_CLASSES = 0.005  # of the sum of all peaks: classes that hold less together are left out by the quick way
# What makes the estimates right on average; from image to image 1.27 to 1.32 with 80 classes, on COCO and blood cells.
_CALIBRATION = 1.3


@dataclass(frozen=True)
class AlddScorer:
    """High where the detector hesitates about where something is, in classes of large weight."""

    class_weights: Tuple[float, ...]
    exact: bool  # whether the score is exact to TOLERANCE; else it is estimated, several times as fast

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        return aldd_scores(candidates.head_maps, candidates.input_size, self.class_weights, self.exact)

    def explain(self, candidates: Candidates) -> List[Explanation]:
        parts = aldd_parts(candidates.head_maps, candidates.input_size, self.class_weights, self.exact)
        return [
            Explanation(one.score, class_parts=one.classes, heat=Heat(one.cells, (CELL / x, CELL / y)))
            for one, (x, y) in zip(parts, candidates.scales)
        ]


class Parts(NamedTuple):
    """What a score is made of."""

    cells: NDArray[np.float64]  # (R, K), what each adds, all classes together; their mean is the score
    classes: NDArray[np.float64]  # (C,), what each adds; their sum is the score

    @property
    def score(self) -> float:
        """Give the score."""
        return float(self.cells.mean())


def aldd_scores(
    head_maps: Sequence[HeadMap], input_size: HeightWidth, weights: Sequence[float] = (), exact: bool = False
) -> NDArray[np.float64]:
    """Score B images, (B,), by the levels of a head."""
    return np.array([one.score for one in aldd_parts(head_maps, input_size, weights, exact)], np.float64)


def aldd_parts(
    head_maps: Sequence[HeadMap], input_size: HeightWidth, weights: Sequence[float], exact: bool
) -> List[Parts]:
    """Compute what the scores of B images are made of.

    The operations are many and small: where the CPU does them, torch should use one thread for each and the caller
    score several images at a time. Threads that wait for each other took 90 times as long as soon as another process
    was busy on one of two cores.
    """
    logits = head_maps[0].class_logits  # (B, A, C, h, w)
    ones = [1.0] * (logits.shape[2] - len(weights))
    on_device = torch.tensor([*weights, *ones], dtype=torch.float64, device=logits.device)
    weighted_cells = _exact_cells if exact else _quick_cells
    parts = []
    with torch.no_grad():  # counts in the thread that says it
        # One by one: an image's score does not depend on its batch, nor the memory needed on the batch's size.
        for image in range(len(logits)):
            classes, cells = weighted_cells(_probabilities(head_maps, image), input_size, on_device)
            by_class = torch.zeros_like(on_device)
            by_class[classes] = cells.mean(dim=(1, 2))
            together = torch.cat([by_class, cells.sum(dim=0).flatten()]).cpu().numpy()  # a GPU is waited for once
            parts.append(Parts(together[len(by_class) :].reshape(cells.shape[1:]), together[: len(by_class)]))
    return parts


def _probabilities(head_maps: Sequence[HeadMap], image: int) -> Levels:
    """Compute (C, h, w) of each level of one image; where a position has several anchors, the largest of theirs."""
    levels = []
    for level in head_maps:
        # On a GPU, products of float32 matrices may be cut to ten bits (TF32, the default of torch 1.10): too few for
        # differences of entropies. Double precision costs nothing that counts there.
        dtype = torch.float32 if level.class_logits.device.type == 'cpu' else torch.float64
        p = level.class_logits[image].to(dtype).sigmoid()  # (A, C, h, w)
        if level.objectness_logits is not None:
            p = p * level.objectness_logits[image].to(dtype).sigmoid()[:, None]
        levels.append(p.amax(dim=0))
    return levels


# The classes that count, (M,), and what they add in each cell, (M, R, K) by weight.
_Cells = Tuple[Tensor, Tensor]


def _quick_cells(levels: Levels, size: HeightWidth, weights: Tensor) -> _Cells:
    """Compute the cells that an estimate says are large, and take the estimates of the others."""
    peaks = sum(level.amax(dim=(1, 2)) for level in levels).double() * weights  # (C,)
    # Of 80 classes most do: together they hold less than this part of the peaks, and about as much of the score.
    ordered, order = peaks.sort()
    classes = order[ordered.cumsum(0) > peaks.sum() * _SMALL_CLASSES].sort().values
    if not len(classes):
        return classes, weights.new_zeros(0, *(-(-side // CELL) for side in size))
    levels, weights = [level[classes] for level in levels], weights[classes]
    cells = estimate(levels, size).double() * weights[:, None, None] * _CALIBRATION  # (M, R, K)
    chosen = cells > cells.sum() * _SHARE
    cells[chosen] = _computed(levels, size, weights, chosen, torch.ones_like(chosen).expand(len(levels), *cells.shape))
    return classes, cells * (peaks.sum() / peaks[classes].sum())


def _exact_cells(levels: Levels, size: HeightWidth, weights: Tensor) -> _Cells:
    """Compute all cells but those whose bounds add up to less than TOLERANCE of the score."""
    at_most = torch.stack([bound(level, size) for level in levels]).double() * weights[:, None, None]  # (L, C, R, K)
    in_cells = at_most.sum(dim=0)
    first = in_cells > in_cells.sum() * _SHARE
    cells = torch.zeros_like(in_cells)
    cells[first] = _computed(levels, size, weights, first, torch.ones_like(at_most, dtype=torch.bool))
    # The total is at most the score by now. Leave out the smallest of the others as long as they add up to less than
    # the tolerated part of it: a level of a cell changes the cell's maximum by its own bound at most.
    ordered, order = at_most.masked_fill(first, 0).flatten().sort()
    left_out = order[ordered.cumsum(0) <= cells.sum() * TOLERANCE]
    keep = torch.ones_like(at_most, dtype=torch.bool)
    keep.view(-1)[left_out] = False
    rest = ~first & keep.any(dim=0)
    cells[rest] = _computed(levels, size, weights, rest, keep)
    return torch.arange(len(weights), device=weights.device), cells


def _computed(levels: Levels, size: HeightWidth, weights: Tensor, chosen: Tensor, keep: Tensor) -> Tensor:
    """Compute by weight the largest uncertainties in chosen cells, (C, R, K), of the levels to keep, (L, C, R, K)."""
    wanted = chosen.nonzero()  # (N, 3)
    c, r, k = wanted.unbind(1)
    return cell_maxima(levels, wanted, keep[:, c, r, k], size).double() * weights[c]  # (N,)
