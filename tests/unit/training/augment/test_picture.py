"""Layers drawn by hand: where each pixel of a picture comes from."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from mmdet.datasets.transforms import YOLOXHSVRandomAug

from executor.training.augment.picture import Layer, Picture, add_hsv, mirror, scaling, shift, whole

# Value 2 x + 3 y at each pixel's centre: interpolating it is exact.
WIDTH, HEIGHT = 40, 30
RAMP = (2 * (np.arange(WIDTH) + 0.5) + 3 * (np.arange(HEIGHT)[:, None] + 0.5))[..., None].repeat(3, 2).astype(np.uint8)


def rotation(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def drawn(layers, size=(60, 50), image=RAMP, **options) -> np.ndarray:
    return Picture(size, layers, grey=114, **options).draw(lambda number: image)


@pytest.mark.parametrize(
    'degrees, scale, x, y', [(0, 1, 3, 4), (7, 1.3, 12.3, 2.7), (-20, 0.6, 5, 15), (3, 2, -20, -10)]
)
def test_a_pixel_is_what_lies_below_its_centre(degrees, scale, x, y):
    matrix = shift(x, y) @ rotation(degrees) @ scaling(scale, scale)
    picture = drawn([whole(0, (WIDTH, HEIGHT)).moved(matrix)])
    centres = np.stack([*np.meshgrid(np.arange(60) + 0.5, np.arange(50) + 0.5), np.ones((50, 60))])
    from_x, from_y, _ = np.einsum('ij,jyx->iyx', np.linalg.inv(matrix), centres)
    inside = (from_x > 0.6) & (from_x < WIDTH - 0.6) & (from_y > 0.6) & (from_y < HEIGHT - 0.6)
    outside = (from_x < -0.6) | (from_x > WIDTH + 0.6) | (from_y < -0.6) | (from_y > HEIGHT + 0.6)
    assert inside.sum() > 100 and outside.sum() > 20
    assert np.abs(picture[inside] - (2 * from_x + 3 * from_y)[inside][:, None]).max() <= 1.5  # of rounding, twice
    assert (picture[outside] == 114).all()


def test_only_a_part_is_drawn_and_layers_that_meet_leave_no_gap():
    matrix = shift(8.2, 6.4) @ rotation(5)
    left, right = ((0, 0, 20, HEIGHT), (20, 0, WIDTH, HEIGHT))
    apart = drawn([Layer(0, (WIDTH, HEIGHT), matrix, part) for part in (left, right)])
    together = drawn([whole(0, (WIDTH, HEIGHT)).moved(matrix)])
    assert np.abs(apart.astype(int) - together)[10:34, 10:44].max() <= 3  # half a pixel is repeated where they meet
    assert (together[10:34, 10:44] != 114).mean() > 0.9
    only = drawn([Layer(0, (WIDTH, HEIGHT), matrix, left)])
    assert (only[:, 36:] == 114).all() and (only[15:30, 10:24] != 114).any()


def test_a_smaller_copy_of_an_image_is_drawn_to_the_same_place():
    small = cv2.resize(RAMP, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    layers = [whole(0, (WIDTH, HEIGHT)).moved(shift(5, 5) @ rotation(4))]
    ours, of_small = drawn(layers).astype(int), drawn(layers, image=small).astype(int)
    assert np.abs(ours - of_small)[12:28, 12:36].max() <= 2


@pytest.mark.parametrize('ways, code', [((True, False), 1), ((False, True), 0), ((True, True), -1)])
def test_a_flipped_image_is_that_of_opencv(ways, code):
    picture = drawn([whole(0, (WIDTH, HEIGHT)).moved(mirror((WIDTH, HEIGHT), *ways))], (WIDTH, HEIGHT))
    assert (picture == cv2.flip(RAMP, code)).all()
    halved = scaling(0.5, 0.5) @ mirror((WIDTH, HEIGHT), *ways)
    picture = drawn([whole(0, (WIDTH, HEIGHT)).moved(halved)], (20, 15))
    assert (picture == cv2.flip(cv2.resize(RAMP, (20, 15)), code)).all()


def test_a_mixed_picture_is_half_of_each_and_padding_keeps_its_colour():
    mixed = [whole(0, (WIDTH, HEIGHT)).moved(shift(10, 0))]
    gains = np.array([0, 0, 10], np.int16)
    picture = drawn(
        [whole(0, (WIDTH, HEIGHT))], (WIDTH, HEIGHT), mixed=mixed, hsv=gains, padded=(45, 32), padding=(1, 2, 3)
    )
    assert picture.shape == (32, 45, 3)
    assert picture[20, 20, 0] == (RAMP[20, 20, 0] + RAMP[20, 10, 0]) / 2 + 10
    assert picture[20, 4, 0] == pytest.approx((RAMP[20, 4, 0] + 114) / 2 + 10, abs=1)
    assert picture[31, 44].tolist() == picture[0, 40].tolist() == picture[30, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize('gains', [(5, 30, 30), (-5, -30, -30), (0, 0, 7), (-4, 0, 0), (0, -12, 0)])
def test_colours_change_as_mmdets(gains):
    image = np.random.default_rng(1).integers(0, 256, (50, 60, 3), np.uint8)
    theirs = YOLOXHSVRandomAug()
    theirs._get_hsv_gains = lambda: np.array(gains, np.int16)
    expected = theirs.transform({'img': image.copy()})['img']
    add_hsv(image, np.array(gains, np.int16))
    assert (image == expected).all()
