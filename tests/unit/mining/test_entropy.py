"""Entropy of detections, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.detections import no_detections
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
    ],
)
def test_entropy_by_hand(scores, expected):
    assert entropy_score(np.array(scores, np.float32)) == pytest.approx(expected, abs=1e-12)


def test_many_small_scores_are_added_in_double_precision():
    p = np.float32(0.01)
    expected = -100 * float(p) * np.log2(float(p))
    assert entropy_score(np.full(100, p)) == pytest.approx(expected, rel=1e-13)


def test_a_batch_keeps_its_order():
    candidates = Candidates(
        positions=[4, 5, 6], detections=[found([[0, 0, 1, 1]], [0.25]), no_detections(), found([[0, 0, 1, 1]], [1])]
    )
    np.testing.assert_array_equal(EntropyScorer().score(candidates), [0.5, -10, 0])
