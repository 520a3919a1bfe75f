"""Hold the images of a set and their true boxes in flat arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Sequence

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """The N images of a set and their B true boxes, image after image."""

    paths: Sequence[str]
    size: NDArray[np.float64]  # (N, 2) width, height on disk
    input_size: NDArray[np.float64]  # (N, 2) the same inside the network's input
    image: NDArray[np.int64]  # (B,) position of the image, never falling
    box: NDArray[np.float64]  # (B, 4) x1 y1 x2 y2 in pixels on disk
    label: NDArray[np.int64]  # (B,)
    ignored: NDArray[np.bool_]  # (B,) difficult or a crowd
    broken: Sequence[str] = ()  # what was said of the images that are left out

    def counted(self) -> Images:
        """Leave out the boxes that are to be ignored."""
        kept = ~self.ignored
        boxes = {name: getattr(self, name)[kept] for name in ('image', 'box', 'label', 'ignored')}
        return replace(self, **boxes)
