"""Choose the images to validate with: every class in both parts, where it has two images."""

from __future__ import annotations

import random
from typing import Collection, Dict, List, Sequence, Set

_NO_BOX = -1  # images without boxes are shared out as a class of their own


def validation_images(classes: Sequence[Collection[int]], share: float, seed: int) -> Set[int]:
    """Choose a share of N images by the classes in each, (N,); returns their positions.

    Iterative stratification (Sechidis et al., 2011): the rarest class goes first, and each of its images into the part
    that lacks most of it. Of a class with two images or more each part is to have one at least. Of equal wants the
    part that wants more images counts, then training. The same seed gives the same images.
    """
    order = list(range(len(classes)))
    random.Random(seed).shuffle(order)
    waiting: Dict[int, List[int]] = {}
    for image in order:
        for label in set(classes[image]) or {_NO_BOX}:
            waiting.setdefault(label, []).append(image)
    wanted = [{label: _share(len(images), share) for label, images in waiting.items()}]  # by validation, then training
    wanted.append({label: len(images) - wanted[0][label] for label, images in waiting.items()})
    room = [_share(len(order), share), len(order) - _share(len(order), share)]
    chosen: Set[int] = set()
    placed: Set[int] = set()
    while waiting:
        rarest = min(waiting, key=lambda label: (len(waiting[label]), label))
        for image in waiting.pop(rarest):
            part = max((1, 0), key=lambda part: (wanted[part][rarest], room[part]))
            if part == 0:
                chosen.add(image)
            placed.add(image)
            room[part] -= 1
            for label in set(classes[image]) or {_NO_BOX}:
                wanted[part][label] -= 1
        waiting = {label: left for label, images in waiting.items() if (left := [i for i in images if i not in placed])}
    return chosen


def _share(images: int, share: float) -> int:
    """Return how many of some images are to validate with: one at least, and not the last."""
    return min(max(1, round(images * share)), images - 1)
