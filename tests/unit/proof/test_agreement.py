"""Rank correlation and the matching of boxes, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from executor.detections import Detections, no_detections
from proof.agreement import rank_correlation, share_of_same_boxes


@pytest.mark.parametrize(
    'ours, theirs, expected',
    [
        ([1, 2, 3, 4], [10, 20, 30, 400], 1),  # ranks, not values
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([1, 2, 3, 4], [1, 2, 4, 3], 1 - 6 * 2 / (4 * 15)),
        ([1, 1, 2, 3], [1, 2, 3, 4], 4.5 / math.sqrt(4.5 * 5)),  # ranks 1.5, 1.5, 3, 4
        ([2, 1, 1, 3], [3, 2, 1, 4], 4.5 / math.sqrt(4.5 * 5)),
        ([1, 1, 2, 2], [2, 2, 1, 1], -1),
        ([5, 5, 5], [7, 7, 7], 1),
        ([5, 5, 5], [7, 8, 9], 0),
        ([-10, -10, 0.5], [-10, -10, 0.4], 1),
    ],
)
def test_rank_correlation_by_hand(ours, theirs, expected):
    assert rank_correlation(ours, theirs) == pytest.approx(expected)
    assert rank_correlation(theirs, ours) == pytest.approx(expected)


def found(*rows: tuple[float, ...]) -> Detections:
    """(x1, score, label) of each box of 10 x 10."""
    if not rows:
        return no_detections()
    x, scores, labels = np.array(rows, np.float32).T
    boxes = np.stack([x, x * 0, x + 10, x * 0 + 10], axis=1)
    return Detections(boxes, scores, labels.astype(np.int64))


@pytest.mark.parametrize(
    'ours, theirs, expected',
    [
        ([], [], 1),
        ([(0, 0.9, 0)], [(1, 0.891, 0)], 1),
        ([(0, 0.9, 0)], [(1.1, 0.9, 0)], 0),
        ([(0, 0.9, 0)], [(0, 0.889, 0)], 0),
        ([(0, 0.9, 0)], [(0, 0.9, 1)], 0),
        ([(0, 0.9, 0), (0.5, 0.9, 0)], [(0, 0.9, 0)], 2 / 3),  # two boxes do not share one
        ([(0, 0.9, 0), (50, 0.8, 0)], [(0, 0.9, 0)], 2 / 3),
        ([(0, 0.101, 0)], [(0, 0.099, 0)], 1),  # the other is there, though it need not be found here
        ([(0, 0.09, 0)], [], 1),
        ([(0, 0.5, 0)], [], 0),
        ([(0, 0.9, 0), (1, 0.9, 0)], [(1, 0.9, 0), (2, 0.9, 0)], 0.75),  # 1 takes 1, which leaves 0 and 2 alone
    ],
)
def test_the_same_boxes_by_hand(ours, theirs, expected):
    one, other = {'a.jpg': found(*ours), 'b.jpg': found()}, {'a.jpg': found(*theirs), 'b.jpg': found()}
    assert share_of_same_boxes(one, other, least=0.1) == pytest.approx(expected)
    assert share_of_same_boxes(other, one, least=0.1) == pytest.approx(expected)


def test_results_of_other_images_are_not_compared():
    with pytest.raises(AssertionError):
        share_of_same_boxes({'a.jpg': found()}, {'b.jpg': found()}, least=0.1)
