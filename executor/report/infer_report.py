"""Say what is told of an inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections

SCORE_BINS = 10  # of 0.1
# Of images by their surest box: what each is called, and the score from which on it counts.
BANDS = (('high', 0.7), ('middle', 0.4), ('low', 0.0), ('without boxes', 0.0))


@dataclass(frozen=True)
class InferReport:
    """What an inference found."""

    class_names: Sequence[str]
    threshold: float  # the scores that count
    undecodable: int  # images
    boxes: NDArray[np.int64]  # (classes,)
    images: NDArray[np.int64]  # (classes,) with a box of the class
    scores: NDArray[np.int64]  # (SCORE_BINS,) boxes by score
    in_bands: NDArray[np.int64]  # (bands,) images
    samples: Sequence[Sequence[Tuple[str, Detections]]]  # some images of each band: path and boxes


def band_of(found: Detections) -> int:
    """Tell the band of an image by its surest box."""
    if not len(found):
        return len(BANDS) - 1
    return next(number for number, (_, lowest) in enumerate(BANDS) if found.scores[0] >= np.float32(lowest))
