"""Evaluate a validation: COCO's numbers, what the platform shows beside a model, and the best score to cut at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from executor.evaluation.boxes import Matches, join
from executor.evaluation.matching import IOU, match
from executor.evaluation.results import ImageResult
from executor.evaluation.thresholds import AtThreshold, Counts, count_by_threshold

COCO_NAMES = ('AP', 'AP_50', 'AP_75', 'AP_s', 'AP_m', 'AP_l', 'AR_1', 'AR_10', 'AR_100', 'AR_s', 'AR_m', 'AR_l')


@dataclass(frozen=True)
class ClassResult:
    """The numbers of one class. `ap` is COCO's AP at IoU 0.50:0.95; both AP are 0 for a class without true boxes.

    tp, fp and fn are the platform's, counted at its `evaluate_config`.
    """

    name: str
    true_boxes: int
    ap: float
    ap_50: float
    tp: int
    fp: int
    fn: int
    at_best: Optional[AtThreshold] = None  # at the best threshold of the whole model; None in a state without it

    @property
    def recall(self) -> float:
        return self.tp / self.true_boxes if self.true_boxes else 0.0


@dataclass(frozen=True)
class Details:
    """What lies behind the numbers, for the page of the model."""

    coco: Tuple[float, ...]  # the twelve numbers of `COCO_NAMES`; -1 is undefined
    best: AtThreshold  # of all boxes, whatever their class
    counts: Counts
    precision_50: NDArray[np.float64]  # (101, K) at the recalls 0, 0.01 to 1 and IoU 0.5; -1 is undefined
    precision: NDArray[np.float64]  # (101, K) the mean over the IoU thresholds
    matches: Matches


@dataclass(frozen=True)
class Evaluation:
    """A whole validation. The seven COCO numbers lie in 0..1; one that is undefined (no such box) is 0.

    `mAR` is the mean over the classes with true boxes of the recall at the platform's `evaluate_config`.
    """

    mAP: float
    mAP_50: float
    mAP_75: float
    mAP_s: float
    mAP_m: float
    mAP_l: float
    AR_100: float
    classes: Tuple[ClassResult, ...]
    details: Optional[Details] = None

    @property
    def mAR(self) -> float:
        recalls = [c.recall for c in self.classes if c.true_boxes]
        return sum(recalls) / len(recalls) if recalls else 0.0

    @property
    def tp(self) -> int:
        return sum(c.tp for c in self.classes)

    @property
    def fp(self) -> int:
        return sum(c.fp for c in self.classes)

    @property
    def fn(self) -> int:
        return sum(c.fn for c in self.classes)


NOTHING_MEASURED = Evaluation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, classes=())


def evaluate(
    results: Sequence[ImageResult], class_names: Sequence[str], evaluate_config: Mapping[str, float]
) -> Evaluation:
    """Evaluate with pycocotools; tp, fp, fn count its matches of predictions of `conf_thr` and above.

    A true box marked ignore is treated as COCO treats a crowd.
    """
    assert evaluate_config['iou_thr'] == IOU, 'predictions are matched at one IoU'
    matches, accumulated = match(join(results, len(class_names)))
    counts = count_by_threshold(matches)
    curves = accumulated.curves
    best = counts.pooled.best_levels
    details = Details(
        coco=accumulated.stats,
        best=counts.pooled.at(best)[0],
        counts=counts,
        precision_50=curves[0].copy(),  # of the whole array no more than this is kept
        precision=curves.mean(axis=0),
        matches=matches,
    )
    # COCO's -1 means undefined.
    ap, ap_50, ap_75, ap_s, ap_m, ap_l, _, _, ar_100, *_ = (max(0.0, value) for value in details.coco)
    classes = _class_results(details, class_names, evaluate_config['conf_thr'], int(best[0]))
    return Evaluation(ap, ap_50, ap_75, ap_s, ap_m, ap_l, ar_100, tuple(classes), details)


def _class_results(details: Details, class_names: Sequence[str], conf_thr: float, best_level: int) -> List[ClassResult]:
    matches, counts = details.matches, details.counts
    counted = matches.score.astype(np.float64) >= conf_thr
    tp, fp = (
        np.bincount(matches.label[counted & chosen], minlength=matches.classes).tolist()
        for chosen in (matches.right, matches.wrong)
    )
    ap, ap_50 = (np.maximum(curve, 0).mean(axis=0).tolist() for curve in (details.precision, details.precision_50))
    at_best = counts.at(np.full(matches.classes, best_level))
    return [
        ClassResult(name, true, ap[k], ap_50[k], tp[k], fp[k], true - tp[k], at_best[k])
        for k, (name, true) in enumerate(zip(class_names, counts.true_boxes.tolist()))
    ]
