from __future__ import annotations

import random
from typing import List, Set

import pytest

from desk.split import validation_images

A, B = 0, 1


def order_of(images: int, seed: int) -> List[int]:
    order = list(range(images))
    random.Random(seed).shuffle(order)
    return order


@pytest.mark.parametrize('seed', range(12))
def test_a_split_computed_by_hand(seed):
    """Five images, of which two are to validate with: A in 0, 1, 2, 3 (two of them) and B in 0 and 4 (one of them).

    B is rarer, and goes first. Its first image goes to training, since both parts want one and training has more room;
    its second one to validation. Where that is 0, A has got one image in validation, and wants one more there, but two
    in training: of 1, 2, 3 the first goes to training, the second, of equal wants, also, the third to validation. Where
    it is 4, A has one in training, and wants two more in validation: the first goes there, the second, of equal wants,
    where there is room, to training, and the third to validation.
    """
    order = order_of(5, seed)
    others = [image for image in order if image in (1, 2, 3)]
    if order.index(0) < order.index(4):
        expected: Set[int] = {4, others[0], others[2]}
    else:
        expected = {0, others[2]}
    assert validation_images([{A, B}, {A}, {A}, {A}, {B}], share=0.4, seed=seed) == expected


def test_both_cases_above_are_met():
    assert {order_of(5, seed).index(0) < order_of(5, seed).index(4) for seed in range(12)} == {True, False}


@pytest.mark.parametrize('seed', range(5))
def test_rare_classes_are_in_both_parts(seed):
    """A class in every image, one in two images, one in a single image, which stays in training."""
    classes = [{0} for _ in range(100)]
    classes[3].add(1)
    classes[77].add(1)
    classes[50].add(2)
    chosen = validation_images(classes, 0.2, seed)
    assert len(chosen) == 20
    assert len(chosen & {3, 77}) == 1
    assert 50 not in chosen


def test_images_without_boxes_are_shared_out_too():
    chosen = validation_images([{0}] * 10 + [set()] * 10, 0.2, seed=0)
    assert len([image for image in chosen if image < 10]) == len([image for image in chosen if image >= 10]) == 2


def test_the_same_seed_gives_the_same_images_and_another_others():
    classes = [{number % 3} for number in range(60)]
    assert validation_images(classes, 0.25, 5) == validation_images(classes, 0.25, 5)
    assert validation_images(classes, 0.25, 5) != validation_images(classes, 0.25, 6)


@pytest.mark.parametrize('share, expected', [(0.01, 1), (0.5, 2), (0.99, 3)])
def test_neither_part_is_empty(share, expected):
    assert len(validation_images([{0}] * 4, share, 0)) == expected
