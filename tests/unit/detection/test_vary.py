"""The part of a pool that is put into another order, from any number of ranks."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from executor.detection.best import Best
from executor.detection.vary import vary
from mining.diversity import varied_order


@pytest.mark.parametrize('ranks', [1, 2, 3, 7])
def test_the_order_is_that_of_the_whole_part_however_it_is_dealt(ranks, caplog):
    """500 images of 10 scenes, of which the best 120 are put into another order; many scores are equal."""
    caplog.set_level(logging.INFO)
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 100, 500).astype(float)
    looks = rng.integers(-127, 128, (10, 40))[rng.integers(0, 10, 500)] // rng.integers(1, 3, (500, 1))
    looks = looks.astype(np.int8)
    shares = [Best(120) for _ in range(ranks)]
    for position, score in enumerate(scores.tolist()):
        shares[position % ranks].add(score, position, looks[position])
    varied = vary(shares)
    best = np.argsort(-scores, kind='stable')[:120]
    assert list(varied.by_score) == best.tolist()
    assert list(varied.order) == best[varied_order(scores[best], looks[best])].tolist()
    assert (varied.compared, varied.alike_before, varied.alike_after) == (100, 100, 100)
    assert '120 images of the highest scores are put into another order; of the first 100, 100 look' in caplog.text


def test_of_three_images_two_are_alike_before_and_after():
    best = Best(9)
    for position, look in enumerate([(100, 0), (99, 1), (0, 100)]):
        best.add(-float(position), position, np.array(look, np.int8))
    varied = vary([best, Best(9)])
    assert (varied.order, varied.by_score, varied.compared) == ([0, 2, 1], [0, 1, 2], 3)
    assert (varied.alike_before, varied.alike_after) == (2, 2)


def test_of_nothing_there_is_no_order():
    varied = vary([Best(9), Best(9)])
    assert (varied.order, varied.by_score, varied.compared) == ([], [], 0)
