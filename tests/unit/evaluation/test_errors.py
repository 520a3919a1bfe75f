"""TIDE's errors: each kind planted once, found, and its cost worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.evaluation.errors import KINDS, error_costs, find_errors, missed_boxes
from tests.unit.evaluation.cases import CAT, DOG, image, matches_of, random_results

A, B, D = (0, 0, 100, 100), (200, 200, 300, 300), (400, 400, 500, 500)
PART_OF_B = (200, 200, 240, 300)  # IoU 0.4
ELSEWHERE = (600, 600, 700, 700)
TRUE = [(CAT, *A), (CAT, *B), (DOG, *D)]
FOUND = [(CAT, 0.9, *A), (DOG, 0.99, *D)]  # so that dogs have AP 1, and cats 51 of 101 points, up to a recall of 0.5
B_FOUND = (CAT, 0.7, *B)


def costs_of(true, *predicted) -> dict[str, tuple[int, float]]:
    matches = matches_of(image(0, true, predicted))
    found = error_costs(matches, find_errors(matches))
    return {name: tuple(cost) for name, cost in found.items() if cost != (0, 0)}


@pytest.mark.parametrize(
    'planted, expected',
    [
        # Put right, cats have AP 1: a half of the 50 points more is in the mean.
        ([(CAT, 0.8, *PART_OF_B)], {'localisation': (1, 25 / 101)}),
        ([(DOG, 0.8, *B)], {'classification': (1, 25 / 101)}),
        # Above the right dog it halves the precision of dogs; it says nothing of B, which is missed, too.
        ([(DOG, 0.995, *PART_OF_B)], {'both': (1, 1 / 4), 'missed': (1, 25 / 101)}),
        # Between the right ones it makes the precision of cats 2 / 3 from a recall of 0.5 on.
        ([(CAT, 0.8, *A), B_FOUND], {'duplicate': (1, 50 / 3 / 101 / 2)}),
        ([(CAT, 0.8, *ELSEWHERE), B_FOUND], {'background': (1, 50 / 3 / 101 / 2)}),
        ([], {'missed': (1, 25 / 101)}),
    ],
)
def test_each_kind(planted, expected):
    found = costs_of(TRUE, *FOUND, *planted)
    assert {name: count for name, (count, _) in found.items()} == {name: count for name, (count, _) in expected.items()}
    assert {name: cost for name, (_, cost) in found.items()} == pytest.approx({n: c for n, (_, c) in expected.items()})


@pytest.mark.parametrize(
    'place, kind',
    [
        ((0, 0, 100, 49), 'localisation'),
        ((0, 0, 100, 10), 'localisation'),
        ((0, 0, 100, 9), 'background'),
        ((0, 0, 100, 50), 'duplicate'),  # at IoU 0.5 it would be right, had not another found the box
    ],
)
def test_where_kinds_end(place, kind):
    assert list(costs_of([(CAT, *A)], (CAT, 0.9, *A), (CAT, 0.8, *place))) == [kind]


def test_the_right_class_comes_first():
    """IoU 0.4 with a cat and 1 with a dog: called a cat, it is a cat out of place."""
    true = [(CAT, *PART_OF_B), (DOG, *B)]
    assert list(costs_of(true, (CAT, 0.9, *PART_OF_B), (DOG, 0.9, *B), (CAT, 0.8, *B))) == ['localisation']


def test_of_two_errors_about_one_box_the_lower_goes():
    """Both called dogs: the first becomes the cat, above a wrong one; the second is no dog any more."""
    true, found = [(CAT, *B), (DOG, *D)], [(DOG, 0.8, *B), (DOG, 0.7, *B), (DOG, 0.6, *D), (CAT, 0.75, *ELSEWHERE)]
    count, cost = costs_of(true, *found)['classification']
    assert (count, cost) == (2, pytest.approx(1 - (0 + 1 / 3) / 2))


def test_an_error_about_a_box_that_is_found_goes():
    """Fixed it would be found twice: 2 right and 1 wrong of 2 cats becomes 2 right."""
    count, cost = costs_of(TRUE, *FOUND, (CAT, 0.8, *PART_OF_B), B_FOUND)['localisation']
    assert (count, cost) == (1, pytest.approx(50 / 3 / 101 / 2))


def test_an_error_about_a_box_that_is_found_finds_no_other():
    assert costs_of(TRUE, *FOUND, (CAT, 0.8, 0, 0, 40, 100))['localisation'] == (1, 0)


def test_nothing_found_is_all_missed():
    assert costs_of(TRUE) == {'missed': (3, 1)}


def test_a_class_that_is_missed_whole_is_left_out_of_the_mean():
    assert costs_of([(CAT, *A), (DOG, *D)], (CAT, 0.9, *A)) == {'missed': (1, pytest.approx(1 - 1 / 2))}


@pytest.mark.parametrize('true, predicted', [([], []), ([(CAT, *A, True)], []), ([(CAT, *A, True)], [(CAT, 0.9, *A)])])
def test_without_boxes_that_count_there_are_no_errors(true, predicted):
    assert costs_of(true, *predicted) == {}


def test_what_lies_where_nothing_is():
    assert costs_of([], (CAT, 0.9, *A)) == {'background': (1, 0)}
    assert costs_of([(CAT, *A)], (CAT, 0.9, *ELSEWHERE)) == {'background': (1, 0), 'missed': (1, 1)}


def test_above_a_score_other_boxes_are_missed():
    matches = matches_of(image(0, TRUE, [*FOUND, (CAT, 0.3, *PART_OF_B)]))
    errors = find_errors(matches)
    assert [missed_boxes(matches, errors, matches.score >= s).tolist() for s in (0.3, 0.5, 0.95)] == [
        [False, False, False],
        [False, True, False],
        [True, True, False],
    ]


def test_every_wrong_box_has_a_kind_and_a_score_below_changes_none():
    results = random_results(30, 4)
    matches = matches_of(*results, classes=4)
    errors = find_errors(matches)
    assert np.array_equal(errors.kind >= 0, matches.wrong)
    assert set(errors.kind) >= {0, 1, 3, 4}
    upper = matches_of(*(image_above(result, 0.5) for result in results), classes=4)
    assert np.array_equal(find_errors(upper).kind, errors.kind[matches.score >= 0.5])
    for name, cost in error_costs(matches, errors).items():
        assert cost.ap_50 >= 0 and cost.boxes == (
            missed_boxes(matches, errors, matches.score >= 0).sum()
            if name == 'missed'
            else (errors.kind == KINDS.index(name)).sum()
        )


def image_above(result, score):
    return type(result)(result.image_id, result.truth, result.found.select(result.found.scores >= score))
