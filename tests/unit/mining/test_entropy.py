"""Entropy of detections, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.detections import Detections, no_detections
from mining.base import Candidates
from mining.entropy import EntropyScorer, entropy_score
from tests.unit.mining.found import found


@pytest.mark.parametrize(
    'scores, expected',
    [
        ([], -10),
        ([0.5], 0.5),  # 1/2 * 1 bit
        ([0.5, 0.25, 0.125], 0.5 + 0.5 + 0.375),  # 1/2 * 1 + 1/4 * 2 + 1/8 * 3
        ([1.0], 0),
        ([0.0], 0),
        ([1.0, 0.5, 0.0], 0.5),
        ([0.25] * 100, 50),
        ([0.01] * 100, -100 * float(np.float32(0.01)) * np.log2(float(np.float32(0.01)))),  # in double precision
    ],
)
def test_entropy_by_hand(scores, expected):
    assert entropy_score(np.array(scores, np.float32)) == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_a_batch_keeps_its_order():
    detections = [found([[0, 0, 1, 1]], [0.25]), no_detections(), found([[0, 0, 1, 1]], [1])]
    candidates = Candidates(positions=[4, 5, 6], detections=detections)
    np.testing.assert_array_equal(EntropyScorer().score(candidates), [0.5, -10, 0])


def test_what_the_boxes_add_is_the_score():
    """1/2 * 1, 1/4 * 2 and 1/8 * 3 bits; a box of score 1 or 0 adds nothing."""
    one = found([[0, 0, 1, 1]] * 5, [1, 0.5, 0.25, 0.125, 0])
    explained, empty = EntropyScorer().explain(Candidates(positions=[0, 1], detections=[one, no_detections()]))
    np.testing.assert_allclose(explained.box_parts, [0, 0.5, 0.5, 0.375, 0])
    assert explained.score == explained.box_parts.sum() == pytest.approx(1.375)
    assert (empty.score, len(empty.box_parts)) == (-10, 0)


def test_what_a_box_adds_is_weighed_by_its_class():
    """1/2 * 1 bit of class 2, 1/4 * 2 of class 0 and 1/8 * 3 of class 2; nothing found stays what it is."""
    labels = np.array([2, 0, 2], np.int64)
    one = Detections(np.zeros((3, 4), np.float32), np.array([0.5, 0.25, 0.125], np.float32), labels)
    candidates = Candidates(positions=[0, 1], detections=[one, no_detections()])
    explained, empty = EntropyScorer((0.5, 7.0, 4.0)).explain(candidates)
    np.testing.assert_allclose(explained.box_parts, [2, 0.25, 1.5], rtol=1e-15)
    assert explained.score == explained.box_parts.sum() == pytest.approx(3.75)
    assert empty.score == -10
    np.testing.assert_array_equal(EntropyScorer((1.0, 1.0, 1.0)).score(candidates), EntropyScorer().score(candidates))
