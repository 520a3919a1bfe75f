"""Entropy of the detections' scores (Joshi et al., CVPR 2009, carried to detection)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mining.base import Batch, Needs

# Below every entropy, which is never negative; the value is the predecessor's.
NOTHING_FOUND = -10.0


@dataclass(frozen=True)
class EntropyScorer:
    """High where many boxes are uncertain."""

    needs: ClassVar[Needs] = Needs(detections=True)

    def score(self, batch: Batch) -> np.ndarray:
        return np.array([entropy_score(found.scores) for found in batch.detections], np.float64)


def entropy_score(scores: np.ndarray) -> float:
    """-sum p log2 p over (N,) scores in 0..1, of which 0 and 1 add nothing; NOTHING_FOUND for N = 0."""
    if len(scores) == 0:
        return NOTHING_FOUND
    p = scores.astype(np.float64)
    p = p[(p > 0) & (p < 1)]
    return float(-(p * np.log2(p)).sum())
