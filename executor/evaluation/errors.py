"""Say of each wrong box in which of six ways it is wrong, and what each way costs in AP50.

The six kinds and their oracles are those of TIDE: Bolya, Foley, Hays, Hoffman: "TIDE: A General Toolbox for Identifying
Object Detection Errors", ECCV 2020, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, NamedTuple

import numpy as np
from numpy.typing import NDArray

from executor.detections import iou_matrix
from executor.evaluation.boxes import Matches, image_slices
from executor.evaluation.matching import IOU, average_precision

BACKGROUND_IOU = 0.1  # below it a box lies on nothing
KINDS = ('classification', 'localisation', 'both', 'duplicate', 'background', 'missed')
CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(6)
NO_ERROR = -1


@dataclass(frozen=True)
class Errors:
    """The kind of each wrong prediction: the first of these that fits, IoU being that with true boxes not ignored.

    - localisation: IoU with a box of its class from 0.1 up to 0.5,
    - classification: IoU of 0.5 or more with a box of another class,
    - duplicate: IoU of 0.5 or more with a box of its class, which a prediction of a higher score has found,
    - background: IoU below 0.1 with every box,
    - both: what is left, IoU from 0.1 up to 0.5 with boxes of other classes alone.

    That is the order of the authors' own program. `target` is the box with the highest IoU of those that a localisation
    or classification error is about.
    """

    kind: NDArray[np.int8]  # (P,) a position in `KINDS`, or NO_ERROR
    target: NDArray[np.int32]  # (P,) the true box, or -1


class Cost(NamedTuple):
    """What one kind of error amounts to."""

    boxes: int
    ap_50: float  # how much higher AP50 would be without


def find_errors(matches: Matches) -> Errors:
    """Find the kind of each wrong prediction."""
    kind = np.full(len(matches.image), NO_ERROR, np.int8)
    target = np.full(len(matches.image), -1, np.int32)
    wrong = matches.wrong
    slices = zip(image_slices(matches.image, matches.images), image_slices(matches.true_image, matches.images))
    for of_image, true_of_image in slices:
        predictions = np.arange(of_image.start, of_image.stop)[wrong[of_image]]
        truths = np.arange(true_of_image.start, true_of_image.stop)[matches.true_counted[true_of_image]]
        if len(predictions) and len(truths):
            kind[predictions], target[predictions] = _kinds(matches, predictions, truths)
        else:
            kind[predictions] = BACKGROUND
    return Errors(kind, target)


def missed_boxes(matches: Matches, errors: Errors, shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say of each true box whether it is missed among the predictions `shown`, a mask (P,).

    It is where no prediction finds it, and no classification or localisation error is about it.
    """
    missed = matches.true_counted & ~matches.found(shown)
    missed[errors.target[shown & (errors.target >= 0)]] = False
    return missed


def error_costs(matches: Matches, errors: Errors) -> Dict[str, Cost]:
    """Count each kind of error, and compute how much higher AP50 would be if that kind alone were put right.

    AP50 is pycocotools'. What the paper's oracles do: a classification error gets the class of its box, a localisation
    error its place, and so each finds it, unless another prediction has found it, or one of the same kind with a higher
    score: then it goes. Both, duplicate and background errors go. Missed boxes are no longer among those to be found; a
    class that then has none is left out of the mean, as pycocotools leaves out what has no true box.
    """
    every = np.ones(len(matches.image), bool)
    missed, found = missed_boxes(matches, errors, every), matches.found(every)
    label, right, true_boxes = matches.label, matches.right, matches.true_boxes
    counted = np.flatnonzero(matches.counted)
    usual = _mean_ap(matches, counted, label, right, true_boxes)
    costs = {}
    for number, name in enumerate(KINDS[:MISSED]):
        of_kind = np.flatnonzero(errors.kind == number)
        about = of_kind[errors.target[of_kind] >= 0]  # all of two kinds, none of the others
        fixed = _best_of_each(about[~found[errors.target[about]]], errors, matches.score)
        fixed_label, fixed_right = label.copy(), right.copy()
        fixed_label[fixed], fixed_right[fixed] = matches.true_label[errors.target[fixed]], True
        kept = np.setdiff1d(counted, np.setdiff1d(of_kind, fixed))
        costs[name] = Cost(len(of_kind), _mean_ap(matches, kept, fixed_label, fixed_right, true_boxes) - usual)
    left = true_boxes - np.bincount(matches.true_label[missed], minlength=matches.classes)
    # Where nothing is left to be found, all is.
    without_missed = _mean_ap(matches, counted, label, right, left) if left.any() else float(true_boxes.any())
    costs[KINDS[MISSED]] = Cost(int(missed.sum()), without_missed - usual)
    return costs


class _Kinds(NamedTuple):
    kind: NDArray[np.int8]
    target: NDArray[np.int32]


def _kinds(matches: Matches, predictions: NDArray[np.int64], truths: NDArray[np.int64]) -> _Kinds:
    """Find the kinds of the N wrong predictions of one image with M true boxes, given by their positions."""
    iou = iou_matrix(matches.box[predictions], matches.true_box[truths])  # (N, M)
    same = matches.label[predictions][:, None] == matches.true_label[truths]
    of_same, of_other = np.where(same, iou, 0), np.where(same, 0, iou)
    best_same, best_other = of_same.max(axis=1), of_other.max(axis=1)  # (N,)
    conditions = {
        LOCALISATION: (best_same >= BACKGROUND_IOU) & (best_same < IOU),
        CLASSIFICATION: best_other >= IOU,
        DUPLICATE: best_same >= IOU,
        BACKGROUND: np.maximum(best_same, best_other) < BACKGROUND_IOU,
    }
    kind = np.select(list(conditions.values()), list(conditions), BOTH)
    targets = {LOCALISATION: truths[of_same.argmax(axis=1)], CLASSIFICATION: truths[of_other.argmax(axis=1)]}
    return _Kinds(kind, np.select([kind == number for number in targets], list(targets.values()), -1))


def _best_of_each(predictions: NDArray[np.int64], errors: Errors, score: NDArray[np.float32]) -> NDArray[np.int64]:
    """Choose, of the predictions that are about the same true box, the one of the highest score."""
    ordered = predictions[np.argsort(-score[predictions], kind='stable')]
    return ordered[np.unique(errors.target[ordered], return_index=True)[1]]


def _mean_ap(
    matches: Matches,
    kept: NDArray[np.int64],
    label: NDArray[np.int32],
    right: NDArray[np.bool_],
    true_boxes: NDArray[np.int64],
) -> float:
    ap = average_precision(label[kept], matches.score[kept], right[kept], true_boxes)
    defined = ap[ap > -1]
    return float(defined.mean()) if len(defined) else 0.0
