"""Tell by few numbers what a picture looks like, so that pictures of one scene can be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from executor.images.prepare import Preparation, Prepared

_SIDE = 48  # pixels of the picture that is looked at
_CELLS = 6  # a side
_SIGMA = 3.2  # pixels, two fifths of a cell: what moves by less than a cell stays alike
_FLAT = 1.0  # grey levels a pixel: below it there is nothing to see but noise
LOOK_SIZE = 4 * _CELLS * _CELLS + 1


def look(image: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Make (H, W, 3) BGR into (LOOK_SIZE,) numbers in -127..127, whose cosine says how alike two pictures are.

    They are the strengths of edges to the right, left, below and above in cells of the picture, as in HOG (Dalal and
    Triggs, CVPR 2005) and SURF, each less its mean: light, contrast and small shifts change little of them. The last
    number is the same in all, and counts where there are no edges. Being whole, they give the same cosines in whatever
    order products are added.
    """
    half = cv2.resize(image, (2 * _SIDE, 2 * _SIDE))
    grey = cv2.cvtColor(cv2.resize(half, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    right, below = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    edges = cv2.GaussianBlur(np.maximum(cv2.merge([right, -right, below, -below]), 0), (0, 0), _SIGMA)
    cells = np.sqrt(cv2.resize(edges, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA))  # (6, 6, 4)
    values = np.append(cells - cells.mean(axis=(0, 1)), np.float32(_FLAT))
    return np.rint(values * (127 / np.abs(values).max())).astype(np.int8)


@dataclass(frozen=True)
class WithLook:
    """A preparation that also tells what the image looks like."""

    prepare: Preparation

    @property
    def largest(self) -> int:
        """Give the bytes of the largest result."""
        return self.prepare.largest

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        return self.prepare(image, out)._replace(look=look(image))
