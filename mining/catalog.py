"""List the mining algorithms and what each needs of the detector; importing this loads none of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Mapping, Tuple

if TYPE_CHECKING:
    from mining.base import Scorer


@dataclass(frozen=True)
class Needs:
    """The parts of a detector's output that a scorer reads; with none of them, no detector is needed.

    Attributes:
        detections: the boxes found in the image.
        class_scores: the score of every class for each box, of the image and of its views.
        head_maps: the levels of a dense head.
        views: the boxes found in changed copies of the image, which the scorer makes.
    """

    detections: bool = False
    class_scores: bool = False
    head_maps: bool = False
    views: bool = False


@dataclass(frozen=True)
class Settings:
    """The user's choices for all algorithms; each takes those that it knows.

    Attributes:
        class_weights: of the classes in their order, from 0 up; classes without one count 1.0.
        exact: compute every score to a thousandth, where the algorithm may estimate.
        seed: of all random numbers.
    """

    class_weights: Tuple[float, ...] = ()
    exact: bool = False
    seed: int = 0


# An algorithm is the module mining/<name> with a function scorer(settings), and a line here.
ALGORITHMS: Mapping[str, Needs] = {
    'aldd': Needs(head_maps=True),
    'cald': Needs(detections=True, class_scores=True, views=True),
    'entropy': Needs(detections=True),
    'random': Needs(),
}


def make_scorer(algorithm: str, settings: Settings) -> Scorer:
    """Import one of ALGORITHMS and build its scorer."""
    scorer: Scorer = import_module(f'mining.{algorithm}').scorer(settings)
    return scorer
