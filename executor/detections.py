"""What a detector says of one image, and the conversions of its boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import numpy as np


@dataclass(frozen=True)
class Detections:
    """The N boxes found in one image, by descending score. N = 0 is a normal case.

    Attributes:
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the original image, x2 and y2 exclusive; not clipped.
        scores: (N,) float32 in 0..1.
        labels: (N,) int64, class ids from 0.
        class_scores: (N, C) float32 in 0..1, what the detector says of every class for the box, not normalised; None
            where it was not asked for.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    class_scores: Optional[np.ndarray] = None

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, index: np.ndarray) -> Detections:
        """Those that a boolean mask or an array of positions chooses."""
        return Detections(
            self.boxes[index],
            self.scores[index],
            self.labels[index],
            None if self.class_scores is None else self.class_scores[index],
        )


def no_detections(classes: Optional[int] = None) -> Detections:
    """Nothing found; with `classes`, class scores of shape (0, classes)."""
    return Detections(
        boxes=np.zeros((0, 4), np.float32),
        scores=np.zeros(0, np.float32),
        labels=np.zeros(0, np.int64),
        class_scores=None if classes is None else np.zeros((0, classes), np.float32),
    )


class HeadMap(NamedTuple):
    """One level of a dense head, for B images of the same input size, A anchors a position and C classes.

    Attributes:
        class_logits: (B, A, C, h, w), before the sigmoid.
        objectness_logits: (B, A, h, w), before the sigmoid; None where the head has none.

    Both are tensors on the detector's device.
    """

    class_logits: Any
    objectness_logits: Optional[Any]


def to_whole_xywh(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """(N, 4) x1 y1 x2 y2 as (N, 4) int64 x y w h of whole pixels, inside a width x height image, w and h at least 1.

    Corners go to the nearest pixel border, halves up, as mmdet's numbers with whole-pixel boxes do.
    """
    size = np.array([width, height])
    # A model just begun may predict boxes beyond what an integer holds.
    corners = np.nan_to_num(boxes.reshape(-1, 2, 2).astype(np.float64), nan=0.0)
    corners = np.floor(np.clip(corners, 0, size) + 0.5).astype(np.int64)  # (N, 2, 2)
    start = np.minimum(corners[:, 0], size - 1)
    end = np.clip(corners[:, 1], start + 1, size)
    return np.concatenate([start, end - start], axis=1)


def class_counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """How many boxes each class has, (classes,) int64."""
    return np.bincount(labels, minlength=classes)


def iou_matrix(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of each of (N, 4) with each of (M, 4) x1 y1 x2 y2 boxes, (N, M) float64; 0 where a box has no area."""
    boxes, others = boxes.astype(np.float64), others.astype(np.float64)
    start = np.maximum(boxes[:, None, :2], others[None, :, :2])  # (N, M, 2)
    end = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    overlap = np.clip(end - start, 0, None).prod(axis=2)  # (N, M)
    union = _area(boxes)[:, None] + _area(others)[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
