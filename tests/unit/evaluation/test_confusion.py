"""The confusion matrix, counted by hand."""

from __future__ import annotations

import numpy as np

from executor.evaluation.confusion import confusion_matrix
from tests.unit.evaluation.cases import CAT, DOG, image, matches_of, random_results

A, B, C, D = ((n, 0, n + 100, 100) for n in (0, 200, 400, 600))


def test_by_hand():
    """Cats: A found, B taken for a dog, C found at a score below; dogs: D missed. A cat and a dog where nothing is."""
    nothing = (800, 800, 900, 900)
    first = image(
        0,
        [(CAT, *A), (CAT, *B), (CAT, *C), (CAT, *nothing, True)],
        [(CAT, 0.9, *A), (DOG, 0.8, *B), (CAT, 0.4, *C), (CAT, 0.9, *nothing), (DOG, 0.7, *nothing)],
    )
    second = image(1, [(DOG, *D)], [(CAT, 0.6, *A), (DOG, 0.6, 600, 0, 649, 100)])
    assert confusion_matrix(matches_of(first, second), 0.5).tolist() == [
        [1, 1, 1],  # cats: called cat, called dog, missed
        [0, 0, 1],  # dogs; IoU 0.49 does not find one
        [1, 2, 0],  # background
    ]


def test_a_box_is_taken_for_one_class_alone_by_the_highest_score():
    predicted = [(DOG, 0.8, *A), (2, 0.9, 0, 0, 90, 100)]
    assert confusion_matrix(matches_of(image(0, [(CAT, *A)], predicted), classes=3), 0.5).tolist() == [
        [0, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 0],
    ]


def test_sums_are_true_boxes_and_predictions():
    matches = matches_of(*random_results(30, 4), classes=4)
    matrix = confusion_matrix(matches, 0.5)
    shown = matches.counted & (matches.score >= 0.5)
    assert np.array_equal(matrix[:-1].sum(axis=1), matches.true_boxes)
    assert np.array_equal(matrix[:, :-1].sum(axis=0), np.bincount(matches.label[shown], minlength=4))
    assert np.array_equal(np.diag(matrix)[:-1], np.bincount(matches.label[shown & matches.right], minlength=4))


def test_nothing():
    assert confusion_matrix(matches_of(classes=1), 0.5).tolist() == [[0, 0], [0, 0]]
