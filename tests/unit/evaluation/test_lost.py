"""True boxes that are lost in NMS, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.detections import Detections
from executor.evaluation.lost import images_with_missed, lost_boxes
from tests.unit.evaluation.cases import CAT, DOG, image, matches_of

# They share 75 of 125 rows: IoU 0.6.
UPPER, LOWER = (0, 0, 100, 100), (0, 25, 100, 125)
# The lower one alone is found.
PAIR = image(0, [(CAT, *UPPER), (CAT, *LOWER)], [(CAT, 0.9, *LOWER)])


def before(*boxes):
    """(label, score, x1, y1, x2, y2)"""
    return Detections(
        np.array([box[2:] for box in boxes], np.float32).reshape(-1, 4),
        np.array([box[1] for box in boxes], np.float32),
        np.array([box[0] for box in boxes], np.int64),
    )


@pytest.mark.parametrize(
    'candidate, lost',
    [
        ((CAT, 0.8, *UPPER), 1),
        ((CAT, 0.5, *UPPER), 1),  # the threshold itself
        ((CAT, 0.49, *UPPER), 0),
        ((DOG, 0.8, *UPPER), 0),
        ((CAT, 0.8, 0, 0, 100, 51), 1),  # IoU 0.51, and 26 / 125 with the lower one
        ((CAT, 0.8, 0, 0, 100, 49), 0),  # IoU 0.49
        ((CAT, 0.8, 0, 15, 100, 115), 0),  # IoU 85 / 115, but 90 / 110 with the lower one
    ],
)
def test_what_was_there_before_nms(candidate, lost):
    found = lost_boxes(matches_of(PAIR), 0.5, {0: before((CAT, 0.9, *LOWER), candidate)})
    assert (found.images, found.images_with_missed, found.missed, len(found.label)) == (1, 1, 1, lost)
    assert found.pair_iou.tolist() == pytest.approx([0.6] * lost)


def test_boxes_that_are_found_or_ignored_are_not_lost():
    both = image(0, [(CAT, *UPPER), (CAT, *LOWER)], [(CAT, 0.9, *LOWER), (CAT, 0.5, *UPPER)])
    ignored = image(1, [(CAT, *UPPER, True)])
    matches = matches_of(both, ignored)
    assert images_with_missed(matches, 0.5) == []
    found = lost_boxes(matches, 0.5, {0: before((CAT, 0.9, *UPPER)), 1: before((CAT, 0.9, *UPPER))})
    assert (found.images, found.missed, len(found.label)) == (2, 0, 0)
    assert images_with_missed(matches, 0.51) == [0]


def test_only_images_that_were_looked_at_count():
    """The second image has a lone dog that scores too little; the third is not looked at."""
    dog = image(1, [(DOG, *UPPER)], [(DOG, 0.4, *UPPER)])
    matches = matches_of(PAIR, dog, PAIR)
    assert images_with_missed(matches, 0.5) == [0, 1, 2]
    found = lost_boxes(matches, 0.5, {1: before((DOG, 0.6, *UPPER)), 0: before()})
    assert (found.images, found.images_with_missed, found.missed) == (2, 3, 2)
    assert (found.label.tolist(), found.pair_iou.tolist()) == ([DOG], [0])
