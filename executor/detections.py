"""Describe what a detector finds in one image, and convert and compare its boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch  # many who import this work without


@dataclass(frozen=True)
class Detections:
    """The N boxes found in one image, by descending score. N = 0 is a normal case."""

    boxes: NDArray[np.float32]  # (N, 4) x1 y1 x2 y2 in pixels of the original image, x2 and y2 exclusive; not clipped
    scores: NDArray[np.float32]  # (N,) in 0..1
    labels: NDArray[np.int64]  # (N,) class ids from 0
    # (N, C) in 0..1, the score of every class for each box, not normalised; None where they were not asked for
    class_scores: Optional[NDArray[np.float32]] = None

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, index: NDArray[np.generic] | slice) -> Detections:
        """Return the detections that a boolean mask, an array of positions or a slice chooses."""
        class_scores = None if self.class_scores is None else self.class_scores[index]
        return Detections(self.boxes[index], self.scores[index], self.labels[index], class_scores)


def no_detections(classes: Optional[int] = None) -> Detections:
    """Return detections without a box; with `classes`, their class scores have the shape (0, classes)."""
    class_scores = None if classes is None else np.zeros((0, classes), np.float32)
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), class_scores)


class HeadMap(NamedTuple):
    """One level of a dense head, for B images of the same input size, A anchors a position and C classes.

    Both are before the sigmoid, on the detector's device.
    """

    class_logits: torch.Tensor  # (B, A, C, h, w)
    objectness_logits: Optional[torch.Tensor]  # (B, A, h, w); None where the head has none


def to_whole_xywh(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.int64]:
    """Convert (N, 4) x1 y1 x2 y2 to x y w h of whole pixels inside a width x height image, w and h at least 1.

    Corners go to the nearest pixel border, halves up, as mmdet's numbers with whole-pixel boxes do.
    """
    size = np.array([width, height])
    # A model just begun may predict boxes beyond what an integer holds.
    corners = np.nan_to_num(boxes.reshape(-1, 2, 2).astype(np.float64), nan=0.0)
    corners = np.floor(np.clip(corners, 0, size) + 0.5).astype(np.int64)  # (N, 2, 2)
    start = np.minimum(corners[:, 0], size - 1)
    end = np.clip(corners[:, 1], start + 1, size)
    return np.concatenate([start, end - start], axis=1)


def class_counts(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count the boxes of each class, (classes,)."""
    return np.bincount(labels, minlength=classes)


def iou_matrix(boxes: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the IoU of each of (N, 4) with each of (M, 4) x1 y1 x2 y2 boxes, (N, M); 0 where a box has no area."""
    overlap = overlap_areas(boxes, others)
    union = areas(boxes)[:, None] + areas(others)[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)


def paired_ious(boxes: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the IoU of each of (N, 4) with the one in its place of (N, 4) x1 y1 x2 y2 boxes, (N,)."""
    boxes, others = boxes.astype(np.float64), others.astype(np.float64)
    start = np.maximum(boxes[:, :2], others[:, :2])
    end = np.minimum(boxes[:, 2:], others[:, 2:])
    overlap = np.clip(end - start, 0, None).prod(axis=1)
    union = areas(boxes) + areas(others) - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)


def overlap_areas(boxes: NDArray[np.generic], others: NDArray[np.generic]) -> NDArray[np.float64]:
    """Compute the area that each of (N, 4) has in common with each of (M, 4) x1 y1 x2 y2 boxes, (N, M)."""
    boxes, others = boxes.astype(np.float64), others.astype(np.float64)
    start = np.maximum(boxes[:, None, :2], others[None, :, :2])  # (N, M, 2)
    end = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(end - start, 0, None).prod(axis=2)


def areas(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the area of each of (N, 4) x1 y1 x2 y2 boxes, (N,)."""
    boxes = boxes.astype(np.float64)
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
