"""Where boxes go in the views, by hand and by looking at the pixels."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest

from executor.detections import no_detections
from mining.views import cut_out, flip, make_views, rotate, shrink
from tests.unit.mining.found import found

WIDTH, HEIGHT = 200, 100
BOX = (40, 30, 80, 60)
EMPTY = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)


def drawn(box=BOX):
    image = EMPTY.copy()
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = 250
    return image


def bright(image):
    """x1 y1 x2 y2 of what is bright."""
    y, x = np.nonzero(image[:, :, 0] > 155)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def test_flip_mirrors():
    view = flip(drawn(), boxes(BOX, (0, 0, 200, 100)))
    np.testing.assert_array_equal(view.boxes, [(120, 30, 160, 60), (0, 0, 200, 100)])
    assert bright(view.image) == [120, 30, 160, 60]


def test_shrink_scales_into_the_corner():
    view = shrink(drawn(), boxes(BOX))
    np.testing.assert_allclose(view.boxes, [(32, 24, 64, 48)])
    assert view.image.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(bright(view.image), view.boxes[0], atol=1)
    assert (view.image[80:] == 0).all()
    assert (view.image[:, 160:] == 0).all()
    assert (view.image[:80, :160] > 0).all()


def test_shrink_of_sizes_that_do_not_divide():
    """101 x 7 becomes 81 x 6, so the scale is 81 / 101 and 6 / 7."""
    view = shrink(np.full((7, 101, 3), 9, np.uint8), boxes((0, 0, 101, 7)))
    np.testing.assert_allclose(view.boxes, [(0, 0, 81, 6)], rtol=1e-6)
    assert (view.image[:, :, 0] > 0).sum() == 81 * 6
    assert shrink(np.ones((1, 1, 3), np.uint8), boxes((0, 0, 1, 1))).image.shape == (1, 1, 3)


def test_rotation_by_hand():
    """Turned by 5 degrees, 200 x 100 needs 200 cos + 100 sin = 207.95 by 117.05 pixels, shrunk to 200 x 100 again.

    The box around the centre (100, 50) of half size 20 x 10 gets the half size (20 cos + 10 sin) * 200 / 207.95.
    """
    c, s = cos(radians(5)), sin(radians(5))
    grow_x, grow_y = 200 / (200 * c + 100 * s), 100 / (100 * c + 200 * s)
    half = np.array([(20 * c + 10 * s) * grow_x, (10 * c + 20 * s) * grow_y])
    view = rotate(drawn(), boxes((80, 40, 120, 60)))
    np.testing.assert_allclose(view.boxes, [[100 - half[0], 50 - half[1], 100 + half[0], 50 + half[1]]], rtol=1e-5)


def test_rotation_keeps_the_centre_to_a_fraction_of_a_pixel():
    """The brightness of a box around (100, 50) stays centred there, in coordinates where pixel i covers i..i + 1."""
    turned = rotate(drawn((80, 40, 120, 60)), boxes()).image[20:80, 60:140, 0].astype(float) - 60
    y, x = np.mgrid[20:80, 60:140] + 0.5
    assert (turned * x).sum() / turned.sum() == pytest.approx(100, abs=0.05)
    assert (turned * y).sum() / turned.sum() == pytest.approx(50, abs=0.05)


def test_rotation_is_counter_clockwise_and_keeps_everything():
    """The right edge's middle goes up, and the whole image stays on the canvas, touching its borders."""
    view = rotate(drawn(), boxes((199, 49, 200, 51), (0, 0, WIDTH, HEIGHT), (-50, -50, 10, 10)))
    assert view.boxes[0, 3] < 48
    np.testing.assert_allclose(view.boxes[1], (0, 0, WIDTH, HEIGHT), atol=1e-3)
    assert view.image.shape == (HEIGHT, WIDTH, 3)
    assert (view.image[0, 0] == 0).all()
    assert (view.boxes[2] >= 0).all() and view.boxes[2, 2] > 0  # clipped


@pytest.mark.parametrize('box', [BOX, (0, 0, 30, 20), (150, 70, 200, 100), (90, 0, 110, 100)])
@pytest.mark.parametrize('change', [flip, shrink, rotate])
def test_pixels_go_where_boxes_go(change, box):
    view = change(drawn(box), boxes(box))
    np.testing.assert_allclose(bright(view.image), view.boxes[0], atol=1)


def test_cut_out_covers_a_box_in_part_and_leaves_boxes():
    cut_at_all = 0
    for seed in range(30):
        view = cut_out(EMPTY, boxes(BOX), np.random.default_rng(seed))
        np.testing.assert_array_equal(view.boxes, boxes(BOX))
        cut = (view.image != EMPTY).any(axis=2)
        cut_at_all += cut.any()
        assert (view.image[cut] == 0).all()
        assert cut.sum() <= 2 * 40 * 20  # two of 0.2 of each side at most
        covered = cut[30:60, 40:80].mean()
        assert covered == 0 or 0.1 <= covered <= 0.8  # two cuts of at most 0.4 each
    assert cut_at_all >= 25


def test_cut_out_leaves_alone_what_it_would_hide():
    """Every cut is larger than 10 x 5 pixels: the tiny box is never covered by more than 0.4 of it."""
    for seed in range(30):
        view = cut_out(EMPTY, boxes(BOX, (100, 50, 104, 53)), np.random.default_rng(seed))
        assert (view.image != EMPTY).any(axis=2)[50:53, 100:104].mean() <= 0.8


def test_nothing_to_cut():
    for found_boxes in (boxes(), boxes((5, 5, 5, 9))):
        view = cut_out(drawn(), found_boxes, np.random.default_rng(0))
        np.testing.assert_array_equal(view.image, drawn())


def test_views_are_of_the_kind_of_the_image_and_leave_it():
    image = drawn()
    detections = found([BOX, (0, 0, 50, 50)], [0.9, 0.2])
    views = make_views(image, detections, np.random.default_rng([1, 2]))
    assert len(views) == 4
    assert all(view.boxes.dtype == np.float32 and view.boxes.shape == (2, 4) for view in views)
    assert all(view.image.dtype == np.uint8 and view.image.shape == image.shape for view in views)
    np.testing.assert_array_equal(image, drawn())
    np.testing.assert_array_equal(detections.boxes, boxes(BOX, (0, 0, 50, 50)))


@pytest.mark.parametrize('size', [(1, 5000), (5000, 1), (1, 1), (40000, 30), (3, 70000)], ids=str)
def test_views_of_images_of_any_shape(size):
    """OpenCV turns none that is 32,767 pixels long: the views of such are smaller, with their boxes."""
    width, height = size
    image = np.full((height, width, 3), 60, np.uint8)
    views = make_views(image, found([(0, 0, width, height)], [0.9]), np.random.default_rng(0))
    assert len(views) == 4
    scale = min(1, 32766 / max(size))
    for view in views:
        assert view.image.shape == (max(1, int(height * scale)), max(1, int(width * scale)), 3)
    np.testing.assert_array_equal(views[0].boxes, [[0, 0, *views[0].image.shape[1::-1]]])


def test_no_views_where_nothing_was_found():
    assert make_views(drawn(), no_detections(), np.random.default_rng(0)) == []
