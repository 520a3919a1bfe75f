"""Find pictures that show nearly the same, such as neighbouring frames of a video."""

from __future__ import annotations

from typing import List, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 32  # pixels of what is compared
_ALIKE = 0.9  # correlation; different images of COCO and of blood cells have at most 0.76


def look(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Make (H, W, 3) into what is compared: few grey pixels, whatever their brightness and contrast, (1024,)."""
    grey = cv2.cvtColor(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    values = grey.astype(np.float32).ravel()
    values -= values.mean()
    return values / max(1e-6, float(np.linalg.norm(values)))


def alike(looks: Sequence[NDArray[np.float32]]) -> List[List[int]]:
    """Group the numbers of those that look alike, also by way of others; what looks like no other is left out."""
    if not looks:
        return []
    stacked = np.stack(looks)
    near = stacked @ stacked.T >= _ALIKE  # (N, N)
    group = np.arange(len(looks))
    for one, other in np.argwhere(near):
        group[group == group[other]] = group[one]
    numbers = [np.flatnonzero(group == name).tolist() for name in dict.fromkeys(group.tolist())]
    return sorted(together for together in numbers if len(together) > 1)
