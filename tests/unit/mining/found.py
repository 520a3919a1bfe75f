"""Detections written out in a test."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from executor.detections import Detections


def found(
    boxes: Sequence[Sequence[float]], scores: Sequence[float], class_scores: Optional[Sequence[Sequence[float]]] = None
) -> Detections:
    """Boxes x1 y1 x2 y2 of class 0, by descending score."""
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array(scores, np.float32),
        labels=np.zeros(len(scores), np.int64),
        class_scores=None if class_scores is None else np.array(class_scores, np.float32).reshape(len(scores), -1),
    )
