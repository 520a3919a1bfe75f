"""Measure how well boxes are placed, whatever their class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from executor.evaluation.boxes import Boxes
from executor.evaluation.matching import match


class Localisation(NamedTuple):
    """COCO's AP with all classes taken for one, at most 100 predictions an image; 0 without true boxes."""

    ap: float
    ap_50: float
    ap_75: float


def localisation(boxes: Boxes) -> Localisation:
    """Match the boxes with their classes ignored."""
    one = Boxes(
        images=boxes.images,
        classes=1,
        image=boxes.image,
        box=boxes.box,
        label=np.zeros_like(boxes.label),
        score=boxes.score,
        true_image=boxes.true_image,
        true_box=boxes.true_box,
        true_label=np.zeros_like(boxes.true_label),
        true_counted=boxes.true_counted,
    )
    _, accumulated = match(one, areas=('all',))
    ap = np.maximum(accumulated.curves[:, :, 0], 0).mean(axis=1)  # (10,) by IoU threshold
    return Localisation(float(ap.mean()), float(ap[0]), float(ap[5]))
