"""Images that one model gets better or worse than another: planted errors, counted by hand."""

from __future__ import annotations

import numpy as np

from executor.evaluation.changes import Change, changed_images, shown_errors
from executor.evaluation.errors import find_errors
from executor.evaluation.worst import worst_images
from tests.unit.evaluation.cases import CAT, DOG, image, matches_of, random_results

A, B = (0, 0, 100, 100), (200, 0, 300, 100)
NOWHERE = (400, 400, 450, 450)


def test_planted_images():
    """Image by image the errors at 0.5: of the first model 1, 2, 0 and 1, of the second 0, 2, 3 and 1."""
    true = [(CAT, *A), (DOG, *B)]
    first = matches_of(
        image(0, true, [(CAT, 0.9, *A)]),  # a dog missed
        image(1, true),  # both missed
        image(2, true, [(CAT, 0.9, *A), (DOG, 0.9, *B), (DOG, 0.4, *NOWHERE)]),  # what is below 0.5 is not seen
        image(3, true, [(CAT, 0.9, *A), (CAT, 0.8, *B)]),  # a dog called cat is one error, and not missed as well
    )
    second = matches_of(
        image(0, true, [(CAT, 0.9, *A), (DOG, 0.5, *B)]),
        image(1, true, [(CAT, 0.9, *A), (CAT, 0.7, *NOWHERE)]),  # one found, one made up: no change
        image(2, true, [(CAT, 0.9, *NOWHERE)]),
        image(3, true, [(DOG, 0.9, *B)]),
    )
    before, after = (shown_errors(matches, 0.5) for matches in (first, second))
    assert before.counts.tolist() == [1, 2, 0, 1]
    assert after.counts.tolist() == [0, 2, 3, 1]
    names = ['a', 'b', 'c', 'd']
    assert changed_images(before, after, names, names) == [Change(2, 2, 0, 3), Change(0, 0, 1, 0)]
    assert [change.more for change in changed_images(after, before, names, names)] == [-3, 1]
    assert changed_images(before, before, names, names) == []


def test_images_are_known_by_their_names():
    """Of very many predictions each model may keep other images."""
    true = [(CAT, *A)]
    before = shown_errors(matches_of(image(0, true), image(1, true, [(CAT, 0.9, *A)]), image(2, true)), 0.5)
    after = shown_errors(matches_of(image(0, true), image(1, true, [(CAT, 0.9, *A)])), 0.5)
    # The second has c, where it finds nothing, and a, where it finds all.
    assert changed_images(before, after, ['a', 'b', 'c'], ['c', 'a']) == [Change(0, 1, 1, 0)]


def test_the_errors_are_those_that_the_page_of_a_model_shows():
    """As `worst_images` finds them among all predictions."""
    matches = matches_of(*random_results(40, 3, seed=5), classes=3)
    errors = find_errors(matches)
    shown = shown_errors(matches, 0.6)
    assert len(shown.matches.score) < len(matches.score)
    worst = worst_images(matches, errors, 0.6, 40)
    assert len(worst) > 30
    for one in worst:
        other = shown.of_image(one.image)
        assert shown.counts[one.image] == one.errors
        assert np.array_equal(matches.box[one.wrong], shown.matches.box[other.wrong])
        assert np.array_equal(matches.box[one.right], shown.matches.box[other.right])
        assert np.array_equal(errors.kind[one.wrong], shown.errors.kind[other.wrong])
        assert np.array_equal(one.missed, other.missed)
