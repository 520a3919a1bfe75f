"""Define what a scorer is given, what it returns, and where its random numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Protocol, Sequence, Tuple, runtime_checkable

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


class Scorer(Protocol):
    """An algorithm with its settings. A score depends on the image, its position and the seed, never on the batch."""

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        """Compute (B,) finite scores in the order of the candidates; higher is more worth labelling."""


@runtime_checkable
class ViewScorer(Scorer, Protocol):
    """A scorer that compares an image with its views."""

    def make_views(self, image: NDArray[np.uint8], detections: Detections, position: int) -> List[View]:
        """Make the views of an image, (H, W, 3) BGR, and of the boxes found in it; none where nothing was found."""


def generator(seed: int, position: int) -> np.random.Generator:
    """Return the random numbers of one image, the same on any number of ranks and in any batch."""
    return np.random.default_rng([seed, position])
