"""The score from which on a model is best, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.evaluation.thresholds import count_by_threshold
from tests.unit.evaluation.cases import CAT, DOG, image, matches_of

TRUE = [(CAT, 100 * n, 0, 100 * n + 50, 50) for n in range(4)]


def counts(*scored, true=TRUE):
    """Of cats: each score, and the true box that is found, None for a place where there is none."""
    places = [(0, 500, 50, 550) if box is None else TRUE[box][1:] for _, box in scored]
    return count_by_threshold(matches_of(image(0, true, [(CAT, s, *p) for (s, _), p in zip(scored, places)])))


@pytest.mark.parametrize(
    'scored, threshold, precision, recall, f1',
    [
        # F1 of the first one, two and so on: 2 / 5, 4 / 6, 4 / 7, 6 / 8, 6 / 9; the fourth holds from 0.302 to 0.6.
        ([(0.9, 0), (0.8, 1), (0.7, None), (0.6, 2), (0.301, None)], 0.451, 3 / 4, 3 / 4, 3 / 4),
        ([(0.9, 0)], 0.450, 1, 1 / 4, 2 / 5),  # from 0 to 0.9
        ([(0.9, None)], 0.500, 0, 0, 0),  # nothing is right at any
        ([], 0.500, 0, 0, 0),
        # Twice the same F1, 2 / 5: 0.6 to 0.9, and 2 * 2 / (6 + 4) from 0 to 0.2; the lower is the first.
        ([(0.9, 0), (0.6, None), (0.5, None), (0.4, None), (0.3, None), (0.2, 1)], 0.100, 2 / 6, 2 / 4, 2 / 5),
        ([(0.0, 0), (1.0, 1)], 0.000, 1, 2 / 4, 4 / 6),  # both ends; only at 0 the first counts
    ],
)
def test_best_threshold(scored, threshold, precision, recall, f1):
    found = counts(*scored)
    at = found.at(found.best_levels)[CAT]
    assert (at.threshold, at.precision, at.recall, at.f1) == pytest.approx((threshold, precision, recall, f1))


def test_a_score_reaches_its_own_threshold():
    """0.7 is below 0.7 as a float32; inference compares in float32, and so does this."""
    found = counts((0.7, 0), (0.3, None))
    assert found.tp[[699, 700, 701], CAT].tolist() == [1, 1, 0]
    assert found.fp[[0, 300, 301], CAT].tolist() == [1, 1, 0]


def test_classes_apart_and_together():
    true = [(CAT, 0, 0, 50, 50), (DOG, 100, 0, 150, 50), (DOG, 200, 0, 250, 50)]
    found = [(CAT, 0.9, 0, 0, 50, 50), (DOG, 0.4, 100, 0, 150, 50), (DOG, 0.2, 500, 0, 550, 50)]
    each = count_by_threshold(matches_of(image(0, true, found)))
    assert each.best_levels.tolist() == [450, 301]  # the middles of 0 to 0.9 and of 0.201 to 0.4
    pooled = each.pooled
    assert pooled.best_levels.tolist() == [301]
    assert np.array_equal(pooled.tp[[0, 400, 401, 901], 0], [2, 2, 1, 0])
    assert pooled.recall[300, 0] == pytest.approx(2 / 3) and pooled.precision[0, 0] == pytest.approx(2 / 3)
