"""Scores against what is right, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.evaluation.calibration import calibrate
from tests.unit.evaluation.cases import CAT, image, matches_of

TRUE = [(CAT, 200 * n, 0, 200 * n + 100, 100) for n in range(3)]


def test_by_hand():
    """Scores 0.9 and 0.95 right at IoU 1 and 0.8, 0.5 and 0.55 with one right at IoU 0.6, 0.1 wrong, 1.0 ignored."""
    predicted = [
        (CAT, 0.9, 0, 0, 100, 100),
        (CAT, 0.95, 200, 0, 280, 100),
        (CAT, 0.5, 400, 0, 460, 100),
        (CAT, 0.55, 900, 0, 960, 100),
        (CAT, 0.1, 900, 0, 960, 100),
        (CAT, 1.0, 0, 500, 100, 600),
    ]
    found = calibrate(matches_of(image(0, [*TRUE, (CAT, 0, 500, 100, 600, True)], predicted)), threshold=0.55)
    nan = np.nan
    assert found.count.tolist() == [0, 1, 0, 0, 0, 2, 0, 0, 0, 2]
    assert found.mean_score == pytest.approx([nan, 0.1, nan, nan, nan, 0.525, nan, nan, nan, 0.925], nan_ok=True)
    assert found.precision == pytest.approx([nan, 0, nan, nan, nan, 0.5, nan, nan, nan, 1], nan_ok=True)
    assert found.mean_iou == pytest.approx([nan, nan, nan, nan, nan, 0.6, nan, nan, nan, 0.9], nan_ok=True)
    assert found.ece == pytest.approx((1 * 0.1 + 2 * 0.025 + 2 * 0.075) / 5)
    assert found.ece_shown == pytest.approx((1 * 0.55 + 2 * 0.075) / 3)


def test_a_score_of_one_is_in_the_last_bin():
    assert calibrate(matches_of(image(0, TRUE, [(CAT, 1.0, 0, 0, 100, 100)])), 0.5).count.tolist() == [0] * 9 + [1]


def test_nothing():
    found = calibrate(matches_of(), 0.5)
    assert found.count.sum() == 0 and (found.ece, found.ece_shown) == (0, 0)
