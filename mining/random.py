"""Random scores: what any other algorithm has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mining.base import Batch, Needs, generator


@dataclass(frozen=True)
class RandomScorer:
    """Uniform in [0, 1), from `seed` and the image's position in the index."""

    needs: ClassVar[Needs] = Needs()
    seed: int

    def score(self, batch: Batch) -> np.ndarray:
        return np.array([generator(self.seed, position).random() for position in batch.positions], np.float64)
