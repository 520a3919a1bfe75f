"""Score by the uncertainty of a dense head between neighbouring pixels (Aghdam et al., ICCV 2019).

`definition` says plainly what is computed, `score` computes it fast; docs/aldd.md explains both.
"""

from mining.aldd.score import AlddScorer
from mining.catalog import Settings


def scorer(settings: Settings) -> AlddScorer:
    """Build the scorer of `mining_algorithm: aldd`."""
    return AlddScorer(settings.class_weights, settings.exact)
