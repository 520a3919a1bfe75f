"""Pairs of boxes that nearly cover each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from executor.survey.overlap import OVERLAP, overlaps
from tests.unit.survey.sets import image_set, random_set


def test_by_hand():
    """10 x 10 moved by 2 has IoU 80 / 120, above 0.6; by 2.5 exactly 0.6; by 3 it is 70 / 130."""
    assert overlaps(image_set([[0, 0, 0, 10, 10], [0, 2, 0, 12, 10]])) == (1, 0, 2, 1)
    assert overlaps(image_set([[0, 0, 0, 10, 10], [1, 0, 2, 10, 12]])) == (0, 1, 2, 1)
    assert overlaps(image_set([[0, 0, 0, 10, 10], [0, 2.5, 0, 12.5, 10]])) == (0, 0, 0, 0)
    assert overlaps(image_set([[0, 0, 0, 10, 10], [0, 3, 0, 13, 10]])) == (0, 0, 0, 0)


def test_boxes_of_two_images_do_not_overlap():
    box = [0, 0, 0, 10, 10]
    assert overlaps(image_set([box], [box])) == (0, 0, 0, 0)
    assert overlaps(image_set([box, box, box], [], [box, box])) == (4, 0, 5, 2)


@pytest.mark.parametrize('images', [[], [[]], [[[0, 0, 0, 10, 10]]]])
def test_of_nothing(images):
    assert overlaps(image_set(*images)) == (0, 0, 0, 0)


@pytest.mark.parametrize('seed', range(3))
def test_as_every_pair_looked_at(seed):
    images = random_set(40, 2, seed, most=60)
    same, other, boxes, where = 0, 0, set(), set()
    for a, b in itertools.combinations(range(len(images.box)), 2):
        if images.image[a] == images.image[b] and iou(images.box[a], images.box[b]) > OVERLAP:
            same += images.label[a] == images.label[b]
            other += images.label[a] != images.label[b]
            boxes |= {a, b}
            where.add(images.image[a])
    assert same > 10 and other > 10
    assert overlaps(images) == (same, other, len(boxes), len(where))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]))
    common = sides.prod()
    return common / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - common)
