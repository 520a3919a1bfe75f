"""The order of unlike images, by hand and against the formula written out."""

from __future__ import annotations

import numpy as np
import pytest

from mining.diversity import ALIKE, count_alike, near, part_size, scenes, varied_order

A, B, C, D = (100, 0), (0, 100), (60, 80), (96, 28)  # C has cosines of 0.6 with A and 0.8 with B, D has 0.96 with A


def order(scores, looks):
    return varied_order(np.array(scores, np.float64), np.array(looks, np.int8))


@pytest.mark.parametrize(
    'scores, looks, expected',
    [
        # q is 3/4, 2/4, 1/4. The second is the first again: 0. Then B: 1/4 · 1, against C: 0.00025 · 0.8.
        ([9, 8, 7, 1], [A, A, B, C], [0, 2, 3, 1]),
        # D: 2/4 · 0.04 / 0.5 = 0.04, less than 1/4 of B, more than 0.00025 of C.
        ([9, 8, 7, 1], [A, D, B, C], [0, 2, 1, 3]),
        # At 0.6 of A a look is 0.8 new, which 2/4 of the score makes more than 1/4.
        ([9, 8, 7, 1], [A, C, B, A], [0, 1, 2, 3]),
        # Equal scores count alike, the first in the index first.
        ([5, 5, 5], [A, A, B], [0, 2, 1]),
        ([5, 5, 5, 5], [A, B, A, B], [0, 1, 2, 3]),
        # Equal looks leave the order of the scores, also where their lengths differ.
        ([9, 8, 7, 7], [A, A, A, A], [0, 1, 2, 3]),
        ([9, 8, 7, 7], [D, (48, 14), D, (48, 14)], [0, 1, 2, 3]),
        # Nothing is found in the last three: unlike as they are, they stay behind what is nearly the first again.
        ([9, 8, -10, -10, -10], [A, D, B, B, C], [0, 1, 2, 4, 3]),
        ([3], [A], [0]),
        ([], np.zeros((0, 2)), []),
    ],
)
def test_order_by_hand(scores, looks, expected):
    assert order(scores, looks) == expected


def test_order_is_the_formula_written_out():
    rng = np.random.default_rng(0)
    looks = rng.integers(-127, 128, (60, 5))
    scores = -np.sort(-rng.integers(0, 30, 60)).astype(float)
    chosen = [0]
    while len(chosen) < 60:
        values = {}
        for one in sorted(set(range(60)) - set(chosen)):
            lower = max(1e-3, sum(scores < scores[one]))
            cosines = [
                looks[one] @ looks[other] / np.sqrt(looks[one] @ looks[one] * (looks[other] @ looks[other]))
                for other in chosen
            ]
            values[one] = lower * min(1, 2 * (1 - max(cosines)))
        chosen.append(max(values, key=values.get))
    assert order(scores, looks) == chosen


def test_products_are_exact_for_the_longest_looks():
    """So that no order of adding changes an order of images: below 2**24 float32 holds every whole number."""
    looks = np.full((2, 145), 127, np.int8)
    looks[1, 0] = 126
    assert 145 * 127**2 < 2**24
    assert near(looks).all() and order([2, 1], looks) == [0, 1]


def test_alike_by_hand():
    looks = np.array([A, D, B, C, (-100, 0)], np.int8)
    alike = near(looks)
    assert ALIKE == 0.7
    np.testing.assert_array_equal(np.argwhere(np.triu(alike, 1)), [[0, 1], [1, 3], [2, 3]])  # D and C: 0.8
    assert count_alike(looks) == 4
    assert count_alike(looks[:1]) == count_alike(looks[:0]) == 0


@pytest.mark.parametrize(
    'count, expected',
    [(0, 0), (1, 1), (999, 999), (5000, 1000), (10_000, 1000), (20_000, 2000), (100_000, 10_000), (10**6, 10_000)],
)
def test_the_part_is_bounded(count, expected):
    assert part_size(count) == expected


def test_scenes():
    assert scenes(np.array([A, D, B, C, A], np.int8)).tolist() == [0, 0, 1, 1, 0]
    assert scenes(np.array([C, A, B], np.int8)).tolist() == [0, 1, 0]
    assert scenes(np.array([A, (80, 60), C], np.int8)).tolist() == [0, 0, 1]  # each is like the one before
    assert scenes(np.zeros((0, 2), np.int8)).tolist() == []


def test_scenes_of_many_looks_are_those_found_one_by_one():
    """More than are compared at once, near-copies of each scene far apart among them."""
    rng = np.random.default_rng(0)
    looks = rng.integers(-100, 101, (200, 145))[rng.integers(0, 200, 700)] + rng.integers(-60, 61, (700, 145))
    looks = looks.clip(-127, 127).astype(np.int8)
    alike, firsts, expected = near(looks), [], []
    for image in range(700):
        scene = next((number for number, first in enumerate(firsts) if alike[image, first]), len(firsts))
        expected.append(scene)
        if scene == len(firsts):
            firsts.append(image)
    assert scenes(looks).tolist() == expected
    assert 100 < len(firsts) < 600
