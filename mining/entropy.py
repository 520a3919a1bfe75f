"""Score by the entropy of the detections' scores (Joshi et al., CVPR 2009, carried to detection).

What a box adds is multiplied by the weight of its class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from mining.base import Candidates, Explanation
from mining.catalog import Settings
from mining.class_weights import weights_of

NOTHING_FOUND = -10.0  # below every entropy, which is never negative; the value is the predecessor's


def scorer(settings: Settings) -> EntropyScorer:
    """Build the scorer of `mining_algorithm: entropy`."""
    return EntropyScorer(settings.class_weights)


@dataclass(frozen=True)
class EntropyScorer:
    """High where many boxes are uncertain."""

    class_weights: Tuple[float, ...] = ()

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        return np.array([one.score for one in self.explain(candidates)], np.float64)

    def explain(self, candidates: Candidates) -> List[Explanation]:
        return [
            explain_entropy(found.scores, weights_of(found.labels, self.class_weights))
            for found in candidates.detections
        ]


def entropy_score(scores: NDArray[np.float32]) -> float:
    """Compute -sum p log2 p over (N,) scores in 0..1, of which 0 and 1 add nothing; NOTHING_FOUND for N = 0."""
    return explain_entropy(scores).score


def explain_entropy(scores: NDArray[np.float32], weights: Union[float, NDArray[np.float64]] = 1.0) -> Explanation:
    """Compute the score, and what each box adds to it by its weight."""
    p = scores.astype(np.float64)
    parts = -p * np.log2(p, out=np.zeros_like(p), where=(p > 0) & (p < 1)) * weights
    return Explanation(float(parts.sum()) if len(p) else NOTHING_FOUND, box_parts=parts)
