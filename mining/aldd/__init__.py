"""Score by the uncertainty of a dense head between neighbouring pixels (Aghdam et al., ICCV 2019).

`definition` says plainly what is computed, `score` computes it fast; docs/aldd.md explains both, and names the
departures from the predecessor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from mining.aldd.score import aldd_scores
from mining.base import Candidates
from mining.catalog import Settings


def scorer(settings: Settings) -> AlddScorer:
    """Build the scorer of `mining_algorithm: aldd`."""
    return AlddScorer(settings.class_weights, settings.exact)


@dataclass(frozen=True)
class AlddScorer:
    """High where the detector hesitates about where something is, in classes of large weight.

    Attributes:
        weights: of the classes in their order; classes without one count 1.0.
        exact: whether the score is right to a thousandth, or about right and several times as fast.
    """

    weights: Tuple[float, ...]
    exact: bool

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        return aldd_scores(candidates.head_maps, candidates.input_size, self.weights, self.exact)
