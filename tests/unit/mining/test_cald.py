"""cald's formula on boxes few enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

from executor.detections import no_detections
from mining.base import Candidates, SeenView, generator
from mining.cald import BALANCE, NOTHING_FOUND, CaldScorer, cald_score, explain_cald, js_divergence
from mining.views import make_views
from tests.unit.mining.found import found

A, B = (0, 0, 10, 10), (100, 100, 120, 110)
ONE = [[0.8, 0.2], [0.6, 0.4]]  # class scores of A and of B, sum 1
JS = (0.6 * log(0.6 / 0.7) + 0.4 * log(0.4 / 0.3) + 0.8 * log(0.8 / 0.7) + 0.2 * log(0.2 / 0.3)) / 2  # of the two


def seen(boxes, detections):
    return SeenView(np.array(boxes, np.float32).reshape(-1, 4), detections)


def reference(class_scores=ONE):
    return found([A, B], [0.8, 0.6], class_scores)


def test_one_match_in_a_view():
    """The view shows A moved by 5 of 10 pixels: IoU 1/3, the same classes, scores 0.8 + 0.4.

    A: |1/3 + 0.5 * 1 * 1.2 - 1.3| = 0.366667. B overlaps nothing and takes the only one: classes (0.6, 0.4) and (0.8,
    0.2), mean (0.7, 0.3), JS = 0.0241 nats: |0 + 0.5 * (1 - JS) * (0.6 + 0.4) - 1.3| = 0.8 + JS / 2.
    """
    view = seen([A, B], found([(5, 0, 15, 10)], [0.4], [[0.8, 0.2]]))
    assert cald_score(reference(), [view]) == pytest.approx(-(1.3 - 1 / 3 - 0.6), rel=1e-6)
    only_b = found([B], [0.6], [ONE[1]])
    assert cald_score(only_b, [seen([B], view.found)]) == pytest.approx(-(0.8 + JS / 2), rel=1e-6)


def test_no_match_in_a_view():
    """Nothing overlaps: both take the highest-scoring box, (0.6, 0.4) with 0.5, not the other one.

    A: JS as above, |0.5 * (1 - JS) * 1.3 - 1.3| = 0.65 + 0.65 JS; B: same classes, |0.5 * 1.1 - 1.3| = 0.75. The
    smaller is A's: JS is 0.0241.
    """
    view = seen([A, B], found([(300, 0, 310, 10), (400, 0, 410, 10)], [0.5, 0.1], [[0.6, 0.4], [0.0, 1.0]]))
    assert cald_score(reference(), [view]) == pytest.approx(-(0.65 + 0.65 * JS), rel=1e-6)


def test_two_matches_in_a_view():
    """Each box is matched to its own, whatever their order: A exactly with score 0.9, B half covered with 0.5.

    A: |1 + 0.5 * 1.7 - 1.3| = 0.55; B: IoU 1/2, same classes: |0.5 + 0.5 * 1.1 - 1.3| = 0.25. The smaller counts, once.
    """
    both = found([A, (100, 100, 110, 110)], [0.9, 0.5], ONE)
    assert cald_score(reference(), [seen([A, B], both)]) == pytest.approx(-0.25, rel=1e-6)


# JS of (0.8, 0.2) and (0.4, 0.6), whose mean is (0.6, 0.4): 0.0863 nats.
PAIRS = (0.8 * log(0.8 / 0.6) + 0.2 * log(0.2 / 0.4) + 0.4 * log(0.4 / 0.6) + 0.6 * log(0.6 / 0.4)) / 2


@pytest.mark.parametrize(
    'class_scores, boxes, scores, seen_class_scores, expected',
    [
        # The largest overlap wins over the largest score: IoU 0.8 with 0.2, not IoU 0.5 with 0.9.
        ([0.8, 0.2], [(0, 0, 10, 5), (0, 0, 10, 8)], [0.9, 0.2], [[0.8, 0.2]] * 2, 0.8 + 0.5 * (0.8 + 0.2) - 1.3),
        ([0.8, 0.2], [A], [0.4], [[0.4, 0.1]], 1 + 0.6 - 1.3),  # the same distribution
        ([0.8, 0.0], [A], [0.4], [[0.0, 0.4]], 1 + 0.6 * (1 - log(2)) - 1.3),  # disjoint classes: JS = ln 2
        ([0.8], [A], [0.4], [[0.4]], 1 + 0.6 * (1 - PAIRS) - 1.3),  # a single class compares the pairs (p, 1 - p)
    ],
)
def test_one_box(class_scores, boxes, scores, seen_class_scores, expected):
    score = cald_score(found([A], [0.8], [class_scores]), [seen([A], found(boxes, scores, seen_class_scores))])
    assert score == pytest.approx(-abs(expected), rel=1e-6, abs=1e-7)


def test_a_view_without_detections_has_the_balance_and_views_are_averaged():
    empty = seen([A, B], no_detections(2))
    assert cald_score(reference(), [empty]) == -BALANCE
    half = seen([A, B], found([A, (100, 100, 110, 110)], [0.9, 0.5], ONE))
    assert cald_score(reference(), [empty, half, half, empty]) == pytest.approx(-(1.3 + 0.25) / 2, rel=1e-6)


def test_consistent_and_confident_ranks_below_inconsistent():
    """|1 + 0.5 * 1.98 - 1.3| = 0.69 where all stays as it is; IoU 0.6 at middling scores is near the balance."""
    sure = found([A], [0.99], [[0.99, 0.01]])
    same = cald_score(sure, [seen([A], sure)] * 4)
    unsure = found([A], [0.6], [[0.6, 0.4]])
    moved = cald_score(unsure, [seen([A], found([(0, 0, 10, 6)], [0.5], [[0.5, 0.5]]))] * 4)
    lost = cald_score(unsure, [seen([A], no_detections(2))] * 4)
    assert same == pytest.approx(-0.69, rel=1e-5)
    assert moved > same > lost > cald_score(no_detections(2), [])


@pytest.mark.parametrize('classes', [1, 3])
def test_nothing_found_is_below_every_possible_score(classes):
    assert cald_score(no_detections(classes), []) == NOTHING_FOUND
    rng = np.random.default_rng(0)
    for _ in range(200):
        scores = np.sort(rng.choice([0, 0.01, 0.5, 1], 2))[::-1]
        boxes = rng.uniform(0, 20, (4, 2, 2)).cumsum(axis=1).reshape(4, 4)
        classes_of = rng.choice([0, 0.5, 1], (4, classes)) + 1e-9 * (classes > 1)
        view = seen(boxes[:2], found(boxes[2:], scores, classes_of[2:]))
        score = cald_score(found(boxes[:2], scores, classes_of[:2]), [view])
        assert NOTHING_FOUND < -1.3 <= score <= 0


@pytest.mark.parametrize(
    'p, q, expected',
    [
        ([0.5, 0.5], [0.5, 0.5], 0),
        ([1, 0], [0, 1], log(2)),
        ([1, 0], [0.5, 0.5], (log(4 / 3) + 0.5 * log(2 / 3) + 0.5 * log(2)) / 2),
    ],
)
def test_the_divergence_is_in_nats_and_no_distance(p, q, expected):
    assert js_divergence(np.array([p], float), np.array([q], float)) == pytest.approx([expected], abs=1e-12)


def test_a_batch_keeps_its_order():
    candidates = Candidates(
        positions=[0, 1], detections=[no_detections(2), reference()], views=[[], [seen([A, B], no_detections(2))] * 4]
    )
    np.testing.assert_allclose(CaldScorer(seed=0).score(candidates), [NOTHING_FOUND, -1.3])


def test_the_view_that_differed_most_is_shown_with_its_deciding_box():
    """B is nearer to 1.3 than A in each: by IoU 1 + 0.5 * 1.2 = 1.6, IoU 0.5 + 0.5 * 1.1 = 1.05, 1.6 again.

    So the score is -(0.3 + 0.25 + 0.3) / 3, and the second view agrees least; B is matched by the second box found.
    """
    same = seen([A, B], found([A, B], [0.9, 0.6], ONE))
    half = seen([A, B], found([A, (100, 100, 110, 110)], [0.9, 0.5], ONE))
    why = explain_cald(reference(), [same, half, same])
    assert why.score == pytest.approx(-0.85 / 3, rel=1e-6) == cald_score(reference(), [same, half, same])
    assert (why.view.number, why.view.box, why.view.match) == (1, 1, 1)
    assert why.words == 'agreement flipped 1.60, partly covered 1.05, smaller 1.60'
    np.testing.assert_array_equal(why.view.seen.found.boxes, half.found.boxes)
    assert why.view.seen.found.class_scores is None  # which are many


@pytest.mark.parametrize(
    'weights, differences, boxes',
    [
        ((1.2, 1), (0.3, 0.25), 'BB'),  # A: 1.2 * 0.55 - 0.2 * 1.3 = 0.4
        ((1, 0.9), (0.4, 0.355), 'BB'),  # B: 0.9 * 0.3 + 0.1 * 1.3, 0.9 * 0.25 + 0.1 * 1.3
        ((2, 0.5), (-0.2, -0.2), 'AA'),  # A: 2 * 0.55 - 1.3; B: 0.5 * 0.3 + 0.5 * 1.3 = 0.8
        ((1.35, 1), (0.2875, 0.25), 'AB'),  # A: 1.35 * 0.55 - 0.35 * 1.3
        ((0, 0), (1.3, 1.3), 'AA'),
    ],
)
def test_the_weight_of_its_class_makes_a_box_more_informative(weights, differences, boxes):
    """Without: A agrees by 1.85 in both views, 0.55 from 1.3; B by 1.6 and 1.05, which are 0.3 and 0.25 from it."""
    one = replace(reference(), labels=np.array([0, 1]))
    same = seen([A, B], found([A, B], [0.9, 0.6], ONE))
    half = seen([A, B], found([A, (100, 100, 110, 110)], [0.9, 0.5], ONE))
    whys = [explain_cald(one, [view], weights) for view in (same, half)]
    assert [why.score for why in whys] == pytest.approx([-one for one in differences], rel=1e-6, abs=1e-6)
    assert ''.join('AB'[why.view.box] for why in whys) == boxes
    both = explain_cald(one, [same, half], weights)
    assert both.score == pytest.approx(-sum(differences) / 2, rel=1e-6, abs=1e-6)
    assert f'(weight {weights["AB".index(boxes[1])]})' in both.words
    assert explain_cald(one, [seen([A, B], no_detections(2))], weights).score == -1.3


def test_equal_weights_of_one_change_no_digit():
    rng = np.random.default_rng(0)
    for _ in range(50):
        boxes = rng.uniform(0, 20, (6, 2, 2)).cumsum(axis=1).reshape(6, 4)
        one = replace(found(boxes[:3], [0.9, 0.5, 0.1], rng.random((3, 2))), labels=np.array([0, 1, 1]))
        views = [seen(boxes[:3], found(boxes[3:], [0.8, 0.4, 0.2], rng.random((3, 2))))] * 3
        assert explain_cald(one, views, (1.0, 1.0)).score == explain_cald(one, views).score


def test_a_view_in_which_nothing_is_found_differs_most():
    half = seen([A, B], found([A, (100, 100, 110, 110)], [0.9, 0.5], ONE))
    view = explain_cald(reference(), [half, seen([A, B], no_detections(2))]).view
    assert (view.number, view.box, view.match) == (1, 0, None)
    assert explain_cald(no_detections(2), []).view is None


def test_views_depend_on_seed_and_position():
    image, detections = np.full((90, 130, 3), 60, np.uint8), found([(30, 20, 60, 40)], [0.9])
    made = CaldScorer(seed=3).make_views(image, detections, 8)
    expected = make_views(image, detections, generator(3, 8))
    assert len(made) == len(expected) == 4
    for one, other in zip(made, expected):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.boxes, other.boxes)
    for seed, position in ((4, 8), (3, 9)):
        assert (CaldScorer(seed).make_views(image, detections, position)[1].image != made[1].image).any()
