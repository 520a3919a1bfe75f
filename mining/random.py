"""Score at random: the baseline that any other algorithm has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mining.base import Candidates, generator
from mining.catalog import Settings


def scorer(settings: Settings) -> RandomScorer:
    """Build the scorer of `mining_algorithm: random`."""
    return RandomScorer(settings.seed)


@dataclass(frozen=True)
class RandomScorer:
    """Uniform in [0, 1), from the seed and the image's position in the index."""

    seed: int

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        return np.array([generator(self.seed, position).random() for position in candidates.positions], np.float64)
