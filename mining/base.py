"""What a scorer wants of the detector, what it gets, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional, Protocol, Sequence, Tuple

import numpy as np

from executor.detections import Detections, HeadMap


@dataclass(frozen=True)
class View:
    """A changed copy of an image, of the same size.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4) float32, the N boxes found in the image as they lie in the view, x1 y1 x2 y2 in its pixels.
    """

    image: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class SeenView:
    """What a scorer gets of a view: the boxes moved into it, (N, 4), and what the detector found there."""

    boxes: np.ndarray
    found: Detections


# A decoded image, what was found in it and the image's generator, made into views; none where nothing was found.
MakeViews = Callable[[np.ndarray, Detections, np.random.Generator], List[View]]


@dataclass(frozen=True)
class Needs:
    """What the detector has to say of an image before it can be scored. Nothing of all this: no detector is needed."""

    detections: bool = False
    class_scores: bool = False  # of the image's detections and of its views'
    head_maps: bool = False
    views: Optional[MakeViews] = None


@dataclass(frozen=True)
class Batch:
    """B candidates and what the detector said of them; what the scorer does not need is None.

    Attributes:
        positions: (B,), each image's place in the index.
        detections: (B,), what was found in each.
        views: (B,), each image's views; empty where nothing was found in it.
        head_maps: a level of the head each, for all B images.
        input_size: (height, width) of the network's input, which the head maps cover.
    """

    positions: Sequence[int]
    detections: Optional[Sequence[Detections]] = None
    views: Optional[Sequence[Sequence[SeenView]]] = None
    head_maps: Optional[Sequence[HeadMap]] = None
    input_size: Optional[Tuple[int, int]] = None


class Scorer(Protocol):
    """An algorithm. A score depends on the image, its position and the seed, never on the rest of the batch."""

    @property
    def needs(self) -> Needs: ...

    def score(self, batch: Batch) -> np.ndarray:
        """(B,) float64, finite, in the order of the batch; higher is more worth labelling."""
        ...


def generator(seed: int, position: int) -> np.random.Generator:
    """The random numbers of one image: the same on any number of ranks and in any batch."""
    return np.random.default_rng([seed, position])
