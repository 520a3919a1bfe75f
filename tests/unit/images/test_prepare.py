"""Letterboxes by themselves: where pixels lie and how many there may be (what is in them is compared with mmdet's)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from executor.images.prepare import Letterbox, SizeOnly


def image_of(width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 BGR, edges and noise."""
    rng = np.random.default_rng(width * 10007 + height)
    coarse = rng.integers(0, 200, (5, 7, 3), dtype=np.uint8)
    noise = rng.integers(0, 56, (height, width, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST) + noise


def test_pixels_lie_in_the_buffer():
    prepare = Letterbox((64, 48), keep_ratio=True)
    for size in ((64, 48), (30, 40), (1, 900)):
        buffer = np.full(prepare.largest, 77, np.uint8)
        prepared = prepare(image_of(*size), buffer)
        assert np.shares_memory(prepared.pixels, buffer)
        assert (buffer[prepared.pixels.size :] == 77).all()
        assert prepared.pixels.ctypes.data == buffer.ctypes.data


def test_the_image_itself_is_left_alone():
    image = image_of(64, 48)
    before = image.copy()
    prepared = Letterbox((64, 48), keep_ratio=True)(image)
    prepared.pixels[:] = 0
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    'prepare, exact',
    [
        (Letterbox((416, 416), True, pad_to_square=True), 416 * 416 * 3),
        (Letterbox((1333, 800), True), 1333 * 800 * 3),
        (Letterbox((800, 1333), True), 1333 * 800 * 3),
        (Letterbox((300, 200), False), 300 * 200 * 3),
        (Letterbox((1333, 800), True, pad_divisor=32), 1344 * 800 * 3),
        (Letterbox((1333, 800), True, pad_to_square=True), 1333 * 1333 * 3),
        (Letterbox((640, 480), True, pad_size=(640, 480)), 640 * 640 * 3),  # an upright image is 480 x 640
        (Letterbox((640, 640), True, pad_size=(640, 640)), 640 * 640 * 3),
        (Letterbox((100, 80), True, pad_size=(700, 50)), 700 * 100 * 3),
        (Letterbox((97, 61), True, pad_to_square=True, pad_divisor=10), 100 * 100 * 3),
    ],
)
def test_no_image_becomes_larger_than_largest(prepare, exact):
    sides = [1, 2, 3, 7, 33, 100, 640, 5000, 10000, 65535]
    sides += [side + more for side in (300, 416, 800, 1333) for more in (-1, 0, 1)]
    rng = np.random.default_rng(0)
    sizes = [(width, height) for width in sides for height in sides]
    sizes += np.exp(rng.uniform(0, np.log(30000), (3000, 2))).astype(int).tolist()
    sizes.append(prepare.scale)
    inputs = [prepare.padded(prepare.resized(tuple(size))) for size in sizes]
    assert max(width * height * 3 for width, height in inputs) == exact
    assert prepare.largest == exact
    assert min(min(size) for size in inputs) >= 1


def test_the_largest_input_fits_its_buffer():
    prepare = Letterbox((64, 48), keep_ratio=True, pad_divisor=32)
    prepared = prepare(image_of(48, 64), np.empty(prepare.largest, np.uint8))
    assert prepared.pixels.shape == (64, 64, 3)
    assert prepared.pixels.size == prepare.largest


def test_only_the_size():
    prepared = SizeOnly()(image_of(30, 20))
    assert (prepared.size, prepared.scale, prepared.pixels.size) == ((30, 20), (1, 1), 0)
    assert SizeOnly.largest == 0  # it gets no buffer
