"""Describe what is evaluated: what is in an image, and what was found there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections


@dataclass(frozen=True)
class Truth:
    """The G true boxes of one image."""

    boxes: NDArray[np.float64]  # (G, 4) x1 y1 x2 y2 in pixels of the image, x2 and y2 exclusive
    labels: NDArray[np.int64]  # (G,) class ids from 0
    ignore: NDArray[np.bool_]  # (G,) whether a box is neither to be found nor a mistake when found


NO_TRUTH = Truth(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool))


@dataclass(frozen=True)
class ImageResult:
    """One image: what is there, and what was found."""

    image_id: int
    truth: Truth
    found: Detections
