"""Score by the entropy of the detections' scores (Joshi et al., CVPR 2009, carried to detection)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mining.base import Candidates
from mining.catalog import Settings

NOTHING_FOUND = -10.0  # below every entropy, which is never negative; the value is the predecessor's


def scorer(settings: Settings) -> EntropyScorer:
    """Build the scorer of `mining_algorithm: entropy`."""
    return EntropyScorer()


class EntropyScorer:
    """High where many boxes are uncertain."""

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        return np.array([entropy_score(found.scores) for found in candidates.detections], np.float64)


def entropy_score(scores: NDArray[np.float32]) -> float:
    """Compute -sum p log2 p over (N,) scores in 0..1, of which 0 and 1 add nothing; NOTHING_FOUND for N = 0."""
    if len(scores) == 0:
        return NOTHING_FOUND
    p = scores[(scores > 0) & (scores < 1)].astype(np.float64)
    return float(-(p * np.log2(p)).sum())
