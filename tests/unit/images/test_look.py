"""What pictures look like: near-copies of a scene are alike, scenes are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from executor.images.decode import read_image
from executor.images.look import LOOK_SIZE, WithLook, look
from executor.images.prepare import Letterbox, SizeOnly
from mining.diversity import ALIKE


def cosine(one, other):
    a, b = look(one).astype(int), look(other).astype(int)
    return a @ b / np.sqrt((a @ a) * (b @ b))


def scene(seed):
    return cv2.resize(np.random.default_rng(seed).integers(0, 255, (9, 12, 3), np.uint8), (320, 240))


def near_copies(image):
    height, width = image.shape[:2]
    return {
        'shifted': image[height // 20 :, width // 20 :],
        'cropped': image[height // 16 : -height // 16, width // 16 : -width // 16],
        'darker': (image * 0.6).astype(np.uint8),
        'flatter': (image * 0.5 + 100).astype(np.uint8),
        'smaller': cv2.resize(image, (width // 3, height // 3), interpolation=cv2.INTER_AREA),
    }


@pytest.mark.parametrize('change', ['shifted', 'cropped', 'darker', 'flatter', 'smaller'])
def test_near_copies_are_alike(change):
    assert min(cosine(scene(seed), near_copies(scene(seed))[change]) for seed in range(10)) > ALIKE


def test_scenes_are_not():
    assert max(cosine(scene(one), scene(other)) for one in range(10) for other in range(one)) < ALIKE


def test_edges_are_told_by_their_direction_and_place():
    """A white bar: right of its left edge it gets brighter, in the left cells; upside down nothing changes."""
    image = np.zeros((96, 96, 3), np.uint8)
    image[:, 40:56] = 255
    cells = look(image)[:-1].reshape(6, 6, 4).astype(int)
    brighter, darker = cells[..., 0], cells[..., 1]
    assert (brighter.argmax(axis=1) == 2).all() and (darker.argmax(axis=1) == 3).all()
    assert not cells[..., 2:].any()
    assert cosine(image, image[::-1]) == 1 and cosine(image, image.transpose(1, 0, 2)) < 0.1


def test_pictures_without_edges_are_alike_and_like_no_other():
    black, grey = np.zeros((9, 9, 3), np.uint8), np.full((50, 20, 3), 130, np.uint8)
    assert cosine(black, grey) == 1
    assert cosine(black, scene(0)) < 0.5


@pytest.mark.parametrize('height, width', [(1, 1), (1, 5000), (5000, 1), (3, 700)])
def test_a_picture_of_any_shape(height, width):
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    found = look(image)
    assert (found.shape, found.dtype) == ((LOOK_SIZE,), np.int8)
    assert np.abs(found).max() == 127


def test_a_look_comes_with_what_is_prepared():
    plain = Letterbox((64, 48), keep_ratio=True, pad_divisor=32)
    prepare, image = WithLook(plain), scene(0)
    prepared = prepare(image, np.empty(prepare.largest, np.uint8))
    assert prepare.largest == plain.largest and plain(image).look is None
    np.testing.assert_array_equal(prepared.pixels, plain(image).pixels)
    np.testing.assert_array_equal(prepared.look, look(image))
    np.testing.assert_array_equal(WithLook(SizeOnly())(image).look, look(image))


@pytest.mark.shared
@pytest.mark.parametrize('name', ['bccd', 'coco80'])
def test_of_real_photographs_each_near_copy_is_nearest_to_its_own(shared_data, name):
    files = sorted((shared_data / name / 'assets').glob('*/*.jpg'))[:20]
    images = [read_image(file) for file in files]
    for change in near_copies(images[0]):
        copies = [near_copies(image)[change] for image in images]
        cosines = np.array([[cosine(image, copy) for copy in copies] for image in images])
        assert (cosines.argmax(axis=1) == np.arange(len(images))).all(), change
