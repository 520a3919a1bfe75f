"""The mining algorithms by name, and what each needs of the detector: standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Tuple


@dataclass(frozen=True)
class Needs:
    """What the detector has to say of an image before it can be scored. Nothing of all this: no detector is needed."""

    detections: bool = False
    class_scores: bool = False
    head_maps: bool = False
    views: bool = False


@dataclass(frozen=True)
class Settings:
    """What a user may set of an algorithm."""

    class_weights: Tuple[float, ...] = ()
    exact: bool = False
    seed: int = 0


ALGORITHMS: Mapping[str, Needs] = {
    'aldd': Needs(head_maps=True),
    'cald': Needs(detections=True, class_scores=True, views=True),
    'entropy': Needs(detections=True),
    'random': Needs(),
}
