"""Compare scores with how often they are right, and with how well the boxes lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from executor.detections import paired_ious
from executor.evaluation.boxes import Matches

_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """The predictions by score, in ten bins of 0.1: a bin has its lower end, the last one its upper end, too.

    `ece` is the expected calibration error: how far the mean score of a bin is from the share of its predictions that
    are right, on average over the predictions (Guo et al.: "On Calibration of Modern Neural Networks", ICML 2017).
    `ece_shown` is that of the predictions from the best threshold on.
    """

    count: NDArray[np.int64]  # (10,)
    mean_score: NDArray[np.float64]  # (10,) NaN where there is none
    precision: NDArray[np.float64]  # (10,) the share that is right at IoU 0.5, NaN where there is none
    mean_iou: NDArray[np.float64]  # (10,) of those that are right with their true boxes, NaN where there is none
    ece: float
    ece_shown: float


class _Sums(NamedTuple):
    """Over the predictions of each bin, (10,)."""

    boxes: NDArray[np.int64]
    score: NDArray[np.float64]
    right: NDArray[np.int64]  # how many are


def calibrate(matches: Matches, threshold: float) -> Calibration:
    """Sum up the predictions of a validation by score; `threshold` is for `ece_shown`."""
    counted = matches.counted
    score, right = matches.score[counted], matches.right[counted]
    bins = np.minimum((score * np.float32(_BINS)).astype(int), _BINS - 1)
    sums = _sums(bins, score, right)
    iou = paired_ious(matches.box[matches.right], matches.true_box[matches.matched[matches.right]])
    shown = score >= np.float32(threshold)
    with np.errstate(invalid='ignore'):  # 0 / 0
        return Calibration(
            count=sums.boxes,
            mean_score=sums.score / sums.boxes,
            precision=sums.right / sums.boxes,
            mean_iou=np.bincount(bins[right], iou, minlength=_BINS) / sums.right,
            ece=_error(bins, score, right),
            ece_shown=_error(bins[shown], score[shown], right[shown]),
        )


def _error(bins: NDArray[np.int64], score: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    sums = _sums(bins, score, right)
    return float(np.abs(sums.score - sums.right).sum() / max(1, sums.boxes.sum()))


def _sums(bins: NDArray[np.int64], score: NDArray[np.float32], right: NDArray[np.bool_]) -> _Sums:
    in_bins, right_in_bins = (np.bincount(chosen, minlength=_BINS) for chosen in (bins, bins[right]))
    return _Sums(in_bins, np.bincount(bins, score, minlength=_BINS).astype(np.float64), right_in_bins)
