"""How far two sets differ."""

from __future__ import annotations

import numpy as np
import pytest

from executor.survey.drift import class_drift, size_drift


@pytest.mark.parametrize(
    'training, validation, distance',
    [
        ([6, 2, 2], [3, 1, 1], 0),
        ([6, 2, 2], [1, 1, 2], 0.35),  # 0.6 0.2 0.2 against 0.25 0.25 0.5
        ([5, 0], [0, 7], 1),
    ],
)
def test_class_shares_by_hand(training, validation, distance):
    assert class_drift(np.array(training), np.array(validation)).distance == pytest.approx(distance)


@pytest.mark.parametrize(
    'training, validation, distance',
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 0),
        ([1, 2, 3, 4], [3, 4, 5, 6], 0.5),  # up to 2 half of the first, nothing of the second
        ([1, 2, 3, 4], [2.5], 0.5),
        ([1, 1, 1], [1, 2], 0.5),
        ([1, 2], [8, 9], 1),
    ],
)
def test_sizes_by_hand(training, validation, distance):
    found = size_drift(np.array(training, float), np.array(validation, float))
    assert found.distance == pytest.approx(distance)


def test_without_boxes_there_is_none():
    assert class_drift(np.zeros(3, int), np.array([1, 2, 3])) is None
    assert size_drift(np.zeros(0), np.ones(3)) is None


def test_by_chance_is_what_random_draws_differ_by():
    random = np.random.default_rng(0)
    share, sizes = np.array([0.5, 0.3, 0.15, 0.05]), random.lognormal(3, 1, (300, 600))
    draws = [class_drift(random.multinomial(400, share), random.multinomial(200, share)) for _ in range(300)]
    assert np.mean([draw.distance for draw in draws]) == pytest.approx(draws[0].by_chance, rel=0.1)
    sized = [size_drift(values[:400], values[400:]) for values in sizes]
    assert np.mean([draw.distance for draw in sized]) == pytest.approx(sized[0].by_chance, rel=0.1)
