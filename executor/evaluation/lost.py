"""Count the true boxes that a model found, but that were lost when overlapping predictions were merged (NMS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping

import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections, iou_matrix
from executor.evaluation.boxes import Matches
from executor.evaluation.matching import IOU


@dataclass(frozen=True)
class LostBoxes:
    """The L true boxes that are lost in NMS, of those missed in the images that were looked at."""

    images: int
    images_with_missed: int  # of the validation
    missed: int
    label: NDArray[np.int32]  # (L,)
    pair_iou: NDArray[np.float64]  # (L,) the greatest IoU with another true box of the class


def missed_truths(matches: Matches, threshold: float) -> NDArray[np.int64]:
    """Find the true boxes that no prediction scored `threshold` and above finds, as positions."""
    shown = matches.score >= np.float32(threshold)
    return np.flatnonzero(matches.true_counted & ~matches.found(shown))


def images_with_missed(matches: Matches, threshold: float) -> List[int]:
    """Find the images in which something is missed, by position."""
    return np.unique(matches.true_image[missed_truths(matches, threshold)]).tolist()


def lost_boxes(matches: Matches, threshold: float, candidates: Mapping[int, Detections]) -> LostBoxes:
    """Count what is lost in the images whose candidates, all before NMS, are given by position.

    A missed box was found before NMS if a candidate of its class, scored `threshold` or more, has IoU 0.5 or more with
    it, and no greater IoU with another true box of the class: else it may be that one's.
    """
    missed = missed_truths(matches, threshold)
    missed = missed[np.isin(matches.true_image[missed], list(candidates))]
    lost, pair_iou = [], []
    for truth in missed.tolist():
        of_class = (matches.true_image == matches.true_image[truth]) & (matches.true_label == matches.true_label[truth])
        others = matches.true_box[of_class & (np.arange(len(of_class)) != truth)]
        own = matches.true_box[truth : truth + 1]
        found = candidates[int(matches.true_image[truth])]
        fitting = found.boxes[(found.labels == matches.true_label[truth]) & (found.scores >= np.float32(threshold))]
        iou = iou_matrix(fitting, own)[:, 0]
        if ((iou >= IOU) & (iou >= iou_matrix(fitting, others).max(axis=1, initial=0))).any():
            lost.append(matches.true_label[truth])
            pair_iou.append(iou_matrix(own, others).max(initial=0))
    return LostBoxes(
        images=len(candidates),
        images_with_missed=len(images_with_missed(matches, threshold)),
        missed=len(missed),
        label=np.array(lost, np.int32),
        pair_iou=np.array(pair_iou, np.float64),
    )
