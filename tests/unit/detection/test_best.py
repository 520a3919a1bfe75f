"""The few best of many, on any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest

from executor.detection.best import Best


@pytest.mark.parametrize('ranks', [1, 2, 3, 7])
def test_the_best_are_those_of_a_stable_sort_however_they_are_dealt(ranks):
    scores = np.random.default_rng(0).integers(0, 20, 100).tolist()  # with many equal ones
    shares = [Best(8) for _ in range(ranks)]
    for position, score in enumerate(scores):
        shares[position % ranks].add(score, position, f'image {position}')
    order = sorted(range(100), key=lambda position: -scores[position])[:8]
    assert Best.joined(shares) == [(scores[position], position, f'image {position}') for position in order]


def test_of_fewer_there_are_fewer_and_items_are_never_compared():
    best = Best(3)
    for position in (1, 0):
        best.add(0.5, position, np.zeros(2))  # whose truth is not defined
    assert [(score, position) for score, position, _ in Best.joined([best, Best(3)])] == [(0.5, 0), (0.5, 1)]


def test_only_some_are_chosen_of_several_ranks():
    ranks = [Best(3), Best(3)]
    for position in range(8):
        ranks[position % 2].add(position // 2, position, 'image')
    chosen = Best.joined([rank.only({7, 4, 0}) for rank in ranks])  # of the first rank 0 is not kept
    assert [position for _, position, _ in chosen] == [7, 4]


def test_no_more_are_kept_than_wanted():
    best = Best(3)
    for position in range(1000):
        best.add(float(position), position, None)
    assert len(best._heap) == 3
