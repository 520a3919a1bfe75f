"""List the mining algorithms and what each needs of the detector; importing this loads none of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Mapping, Tuple

if TYPE_CHECKING:
    from mining.base import Scorer


@dataclass(frozen=True)
class Needs:
    """The parts of a detector's output that a scorer reads; with none of them, no detector is needed."""

    detections: bool = False
    class_scores: bool = False  # of every class for each box, in the image and in its views
    head_maps: bool = False  # the levels of a dense head
    views: bool = False  # the boxes found in changed copies of the image, which the scorer makes

    @property
    def detector(self) -> bool:
        """Tell whether a detector is needed at all."""
        return self.detections or self.head_maps


@dataclass(frozen=True)
class Settings:
    """The user's choices for all algorithms; each takes those that it knows."""

    class_weights: Tuple[float, ...] = ()  # from 0 up, one a class in their order; none where all count alike
    exact: bool = False  # compute every score to a thousandth, where the algorithm may estimate
    seed: int = 0  # of all random numbers


# An algorithm is the module mining/<name> with a function scorer(settings), and a line here.
ALGORITHMS: Mapping[str, Needs] = {
    'aldd': Needs(head_maps=True),
    'cald': Needs(detections=True, class_scores=True, views=True),
    'entropy': Needs(detections=True),
    'random': Needs(),
}


def make_scorer(algorithm: str, settings: Settings) -> Scorer:
    """Import one of ALGORITHMS and build its scorer."""
    return import_module(f'mining.{algorithm}').scorer(settings)
