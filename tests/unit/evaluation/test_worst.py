"""The images with the most errors."""

from __future__ import annotations

from executor.evaluation.errors import find_errors
from executor.evaluation.worst import worst_images
from tests.unit.evaluation.cases import CAT, image, matches_of

A, B, ELSEWHERE = (0, 0, 100, 100), (200, 200, 300, 300), (600, 600, 700, 700)
IMAGES = (
    image(0, [(CAT, *A)], [(CAT, 0.9, *A)]),  # all right
    image(1, [(CAT, *A)], [(CAT, 0.9, *A), (CAT, 0.6, *ELSEWHERE)]),  # one wrong
    image(2, [(CAT, *A), (CAT, *B)], [(CAT, 0.4, *ELSEWHERE)]),  # two missed, what is wrong is below
    image(3, [(CAT, *A)], [(CAT, 0.9, *A), (CAT, 0.8, *ELSEWHERE)]),  # one wrong, of a higher score
    image(4, [(CAT, *A, True)], [(CAT, 0.9, *A)]),  # ignored
)


def test_order_and_errors():
    matches = matches_of(*IMAGES)
    found = worst_images(matches, find_errors(matches), 0.5, 9)
    assert [(one.image, one.errors) for one in found] == [(2, 2), (3, 1), (1, 1)]
    assert found[0].missed.tolist() == [2, 3] and found[0].wrong.tolist() == []
    assert found[1].wrong.tolist() == [5] and found[1].right.tolist() == [4]
    assert [one.image for one in worst_images(matches, find_errors(matches), 0.5, 2)] == [2, 3]


def test_no_images():
    matches = matches_of()
    assert worst_images(matches, find_errors(matches), 0.5, 9) == []
