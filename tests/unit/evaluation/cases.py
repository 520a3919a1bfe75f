"""What tests of the evaluation look at: images written by hand, and images drawn at random."""

from __future__ import annotations

import numpy as np

from executor.detections import Detections
from executor.evaluation.boxes import Matches, join
from executor.evaluation.matching import match
from executor.evaluation.results import ImageResult, Truth

CLASSES = ('cat', 'dog')
CAT, DOG = 0, 1


def image(number, true=(), predicted=()):
    """true: (label, x1, y1, x2, y2[, ignore]); predicted: (label, score, x1, y1, x2, y2)."""
    truth = Truth(
        boxes=np.array([t[1:5] for t in true], float).reshape(-1, 4),
        labels=np.array([t[0] for t in true], int),
        ignore=np.array([len(t) > 5 and t[5] for t in true], bool),
    )
    found = Detections(
        boxes=np.array([p[2:6] for p in predicted], np.float32).reshape(-1, 4),
        scores=np.array([p[1] for p in predicted], np.float32),
        labels=np.array([p[0] for p in predicted], int),
    )
    return ImageResult(number, truth, found)


def matches_of(*images: ImageResult, classes: int = len(CLASSES)) -> Matches:
    return match(join(images, classes))[0]


def random_results(images: int, classes: int, seed: int = 0, boxes: int = 20, steps: int = 40) -> list[ImageResult]:
    """True boxes, some ignored, and predictions around them: of other classes, doubled, with equal scores."""
    random = np.random.default_rng(seed)
    results = []
    for number in range(images):
        true = random.integers(0, 12)
        corner, size = random.uniform(0, 400, (true, 2)), np.exp(random.uniform(2, 5.5, (true, 2)))
        truth = Truth(np.hstack([corner, corner + size]), random.integers(0, classes, true), random.random(true) < 0.1)
        around = random.integers(0, true, random.integers(0, 2 * boxes)) if true else np.zeros(0, int)
        moved = truth.boxes[around] + random.normal(0, 0.15, (len(around), 4)) * np.tile(size[around], 2)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        labels = np.where(random.random(len(around)) < 0.8, truth.labels[around], random.integers(0, classes))
        scores = np.sort(random.integers(0, steps, len(around)) / steps)[::-1]
        results.append(
            ImageResult(number, truth, Detections(moved.astype(np.float32), scores.astype(np.float32), labels))
        )
    return results
