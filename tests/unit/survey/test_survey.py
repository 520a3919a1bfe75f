"""What a set is made of, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.survey.histogram import ASPECT_EDGES, NUMBER_EDGES, SIZE_EDGES, distribution
from executor.survey.survey import CELLS, survey
from tests.unit.survey.sets import image_set, random_set


def of(*images, classes=3, **options):
    return survey(image_set(*images, **options), None, classes, seconds=0).training


def test_counts_by_hand():
    """Three cats and a dog in two images, one image with a crowd alone, one with nothing."""
    cat = [0, 0, 0, 10, 10]
    found = of([cat, cat, [1, 0, 0, 20, 40]], [cat], [[1, 0, 0, 9, 9, 1]], [])
    assert (found.images, found.boxes, found.ignored, found.empty, found.only_ignored) == (4, 4, 1, 1, 1)
    assert found.classes.boxes.tolist() == [3, 1, 0]
    assert found.classes.images.tolist() == [2, 1, 0]
    assert found.number.count.tolist() == [2, 1, 0, 1] + [0] * 10  # images with 0, 1, 2, 3 boxes
    assert found.number.quantiles['50'] == 0.5


def test_sizes_are_those_in_the_networks_input():
    """Of 100 x 200 into 50 x 50: a box of 10 x 40 becomes 5 x 10, one of 32 x 32 becomes 16 x 8."""
    found = of([[0, 0, 0, 10, 40], [1, 0, 0, 32, 32]], size=(100, 200), input_size=(50, 50))
    assert found.classes.median_size[:2] == pytest.approx([50**0.5, 128**0.5])
    assert np.isnan(found.classes.median_size[2])
    assert found.classes.tiny.tolist() == [1, 0, 0]  # 7.07 and 11.3
    assert found.size.quantiles['50'] == pytest.approx((50**0.5 + 128**0.5) / 2)
    wide, narrow = np.searchsorted(ASPECT_EDGES, [2, 0.5]) - 1
    assert found.aspect.count[[narrow, wide]].tolist() == [1, 1]


def test_a_box_of_eight_pixels_is_not_below():
    assert of([[0, 0, 0, 8, 8], [0, 0, 0, 7, 9]]).classes.tiny.tolist() == [1, 0, 0]


def test_the_median_is_each_class_own():
    boxes = [[label, 0, 0, side, side] for label, side in ((0, 9), (1, 50), (0, 30), (1, 40), (0, 20))]
    assert of(boxes, classes=2).classes.median_size.tolist() == [20, 45]


def test_centres_are_counted_by_their_place_in_the_image():
    """At 1/4 of the width and 3/4 of the height; and at the lower right corner, as far as a box can be."""
    found = of([[0, 40, 70, 60, 80], [0, 199.9, 99.9, 200, 100]], size=(200, 100))
    assert {tuple(place) for place in np.argwhere(found.centres)} == {(15, 5), (CELLS - 1, CELLS - 1)}


@pytest.mark.parametrize('images', [[], [[]], [[[0, 0, 0, 5, 5, 1]]], [[[0, 0, 0, 5, 5]]]])
@pytest.mark.parametrize('classes', [1, 1000])
def test_of_almost_nothing(images, classes):
    one = image_set(*images)
    found = survey(one, one, classes, seconds=1)
    counted = sum(len(box) == 5 for boxes in images for box in boxes)
    assert (found.training.boxes, found.training.size.count.sum()) == (counted, counted)
    assert (found.class_drift is None) == (found.size_drift is None) == (counted == 0)
    assert len(found.training.classes.boxes) == classes


def test_bins():
    assert NUMBER_EDGES[6:9] == (6, 8, 11)
    assert distribution([0, 5, 6, 7, 8, 101, 10**6], NUMBER_EDGES).count.tolist() == [1, 0, 0, 0, 0, 1, 2, 1] + [
        0
    ] * 5 + [2]
    assert distribution([8.0, 7.99], SIZE_EDGES).count[[4, 5]].tolist() == [1, 1]
    empty = distribution([], SIZE_EDGES)
    assert (empty.quantiles, empty.share.sum()) == ({}, 0)
    assert ASPECT_EDGES[6] < 1 < ASPECT_EDGES[7]


def test_two_halves_are_the_whole():
    """Every count of a set is the sum of those of its parts."""
    whole = random_set(60, 4)
    left, right = (part_of(whole, range(*bounds)) for bounds in ((0, 25), (25, 60)))
    total, *parts = (survey(one, None, 4, seconds=0).training for one in (whole, left, right))
    for name in ('images', 'boxes', 'empty'):
        assert getattr(total, name) == sum(getattr(part, name) for part in parts)
    assert total.overlaps == tuple(map(sum, zip(*(part.overlaps for part in parts))))
    assert (total.centres == sum(part.centres for part in parts)).all()
    for name in ('boxes', 'images', 'tiny'):
        assert (getattr(total.classes, name) == sum(getattr(part.classes, name) for part in parts)).all()


def part_of(images, kept: range):
    inside = (images.image >= kept.start) & (images.image < kept.stop)
    boxes = np.concatenate([images.label[:, None], images.box, images.ignored[:, None]], axis=1)[inside]
    number = images.image[inside]
    return image_set(*(boxes[number == n].tolist() for n in kept))
