"""Image sets for the tests of a survey."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from executor.survey.images import Images

Box = Sequence[float]  # label x1 y1 x2 y2, and 1 where it is to be ignored


def image_set(*images: Sequence[Box], size=(100, 100), input_size=None, paths: Sequence[str] = (), **more) -> Images:
    """A set of images of one size with these boxes."""
    boxes = [(*box, 0)[:6] for of in images for box in of]
    table = np.array(boxes, np.float64).reshape(-1, 6)
    count = len(images)
    return Images(
        paths=paths or [f'/nowhere/{n}.jpg' for n in range(count)],
        size=np.full((count, 2), size, np.float64),
        input_size=np.full((count, 2), input_size or size, np.float64),
        image=np.repeat(np.arange(count), [len(of) for of in images]),
        box=table[:, 1:5],
        label=table[:, 0].astype(np.int64),
        ignored=table[:, 5].astype(bool),
        **more,
    )


def random_set(images: int, classes: int, seed: int = 0, most: int = 12) -> Images:
    """Boxes drawn at random, many of them over each other."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(images):
        corners = random.uniform(0, 60, (random.integers(0, most), 2)).round()
        sides = random.uniform(5, 40, corners.shape).round()
        labels = random.integers(0, classes, (len(corners), 1))
        made.append(np.concatenate([labels, corners, corners + sides, np.zeros_like(labels)], axis=1).tolist())
    return image_set(*made)
