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
        ([0.01] * 100, -100 * float(np.float32(0.01)) * np.log2(float(np.float32(0.01)))),  # in double precision
    ],
)
def test_entropy_by_hand(scores, expected):
    assert entropy_score(np.array(scores, np.float32)) == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_a_batch_keeps_its_order():
    detections = [found([[0, 0, 1, 1]], [0.25]), no_detections(), found([[0, 0, 1, 1]], [1])]
    candidates = Candidates(positions=[4, 5, 6], detections=detections)
    np.testing.assert_array_equal(EntropyScorer().score(candidates), [0.5, -10, 0])
