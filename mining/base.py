"""Define what a scorer is given, what it returns, and where its random numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Protocol, Sequence, Tuple, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections, HeadMap


@dataclass(frozen=True)
class View:
    """A changed copy of an image, of the same size, and the N boxes found in the image as they lie in the copy."""

    image: NDArray[np.uint8]  # (H, W, 3) BGR
    boxes: NDArray[np.float32]  # (N, 4) x1 y1 x2 y2 in pixels of the view


@dataclass(frozen=True)
class SeenView:
    """The boxes of an image moved into a view, (N, 4), and the detections of the view itself."""

    boxes: NDArray[np.float32]
    found: Detections


@dataclass(frozen=True)
class Candidates:
    """B images to score and what the detector found in them; what the algorithm does not need may be left out."""

    positions: Sequence[int]  # (B,) places in the index
    detections: Sequence[Detections] = ()  # (B,)
    views: Sequence[Sequence[SeenView]] = ()  # (B,) lists, empty for an image in which nothing was found
    head_maps: Sequence[HeadMap] = ()  # the levels of the head, each for all B images
    input_size: Tuple[int, int] = (0, 0)  # (height, width) of the network's input, which the head maps cover
    scales: Sequence[Tuple[float, float]] = ()  # (B,) (x, y) pixels of the input per pixel of the image


@dataclass(frozen=True)
class Heat:
    """What the places of an image add to its score: values (R, K) of cells from the image's upper left corner on."""

    values: NDArray[np.float64]  # their mean is the score
    cell: Tuple[float, float]  # (width, height) in pixels of the image, beyond which the last ones may reach


@dataclass(frozen=True)
class ShownView:
    """The view of an image that says most about its score, with the box that it is about."""

    number: int  # of the image's views
    seen: SeenView
    box: int  # of the boxes moved into the view
    match: Optional[int]  # of those found in it, what the box was compared with; None where nothing was found


@dataclass(frozen=True)
class Explanation:
    """A score, and as far as the algorithm tells what it is made of; small, since it is kept for the highest scores."""

    score: float
    words: str = ''  # a line below the image
    box_parts: Optional[NDArray[np.float64]] = None  # (N,) what each of the detections adds to the score
    class_parts: Optional[NDArray[np.float64]] = None  # (C,) what each class adds
    heat: Optional[Heat] = None
    view: Optional[ShownView] = None


class Scorer(Protocol):
    """An algorithm with its settings. A score depends on the image, its position and the seed, never on the batch."""

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        """Compute (B,) finite scores in the order of the candidates; higher is more worth labelling."""


@runtime_checkable
class ViewScorer(Scorer, Protocol):
    """A scorer that compares an image with its views."""

    def make_views(self, image: NDArray[np.uint8], detections: Detections, position: int) -> List[View]:
        """Make the views of an image, (H, W, 3) BGR, and of the boxes found in it; none where nothing was found."""


@runtime_checkable
class ClassWeigher(Scorer, Protocol):
    """A scorer in which classes count by weights."""

    @property
    def class_weights(self) -> Sequence[float]:
        """Give the weight of each class in their order; none where all count alike."""


@runtime_checkable
class Explainer(Scorer, Protocol):
    """A scorer that says why; for every image, so at hardly any cost beside the score."""

    def explain(self, candidates: Candidates) -> List[Explanation]:
        """Compute what `score` does, with what it is made of; called in its place."""


def generator(seed: int, position: int) -> np.random.Generator:
    """Return the random numbers of one image, the same on any number of ranks and in any batch."""
    return np.random.default_rng([seed, position])
