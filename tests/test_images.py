"""Decoding and sizes of the kinds of images that occur."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from executor.contract.errors import ImageError
from executor.images import image_size, read_image


@pytest.fixture
def pixels() -> np.ndarray:
    """(20, 30, 3) uint8 BGR, blue left and red right."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, :15] = (255, 0, 0)
    image[:, 15:] = (0, 0, 255)
    return image


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.tif', '.jpg', '.webp', ''])
def test_formats(tmp_path, pixels, suffix):
    path = tmp_path / f'image{suffix}'
    path.write_bytes(cv2.imencode(suffix or '.png', pixels)[1].tobytes())
    image = read_image(path)
    assert image_size(path) == (30, 20)
    assert image.shape == (20, 30, 3)
    assert image[10, 3, 0] > 200 and image[10, 27, 2] > 200


@pytest.mark.parametrize(
    'image',
    [
        Image.new('L', (30, 20), 128),
        Image.new('RGBA', (30, 20), (128, 128, 128, 10)),
        Image.new('I;16', (30, 20), 128 * 257),
        Image.new('P', (30, 20)),
    ],
    ids=['grey', 'alpha', '16 bit', 'palette'],
)
def test_modes_become_bgr_bytes(tmp_path, image):
    image.save(tmp_path / 'image.png')
    read = read_image(tmp_path / 'image.png')
    assert (read.shape, read.dtype) == ((20, 30, 3), np.uint8)
    if image.mode != 'P':
        assert abs(int(read[0, 0, 0]) - 128) <= 1


def test_cmyk_jpeg(tmp_path):
    Image.new('CMYK', (30, 20), (0, 255, 255, 0)).save(tmp_path / 'image.jpg')
    blue, green, red = (int(v) for v in read_image(tmp_path / 'image.jpg')[10, 10])
    assert red > 200 and blue < 60 and green < 60


@pytest.mark.parametrize('orientation, size', [(1, (30, 20)), (3, (30, 20)), (6, (20, 30)), (8, (20, 30))])
def test_exif_turns_pixels_and_size_alike(tmp_path, pixels, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels[:, :, ::-1]).save(tmp_path / 'image.jpg', exif=exif, quality=95)
    image = read_image(tmp_path / 'image.jpg')
    assert image_size(tmp_path / 'image.jpg') == size
    assert image.shape[:2] == size[::-1]
    if orientation == 6:  # the camera was turned: left becomes top
        assert image[3, 10, 0] > 200 and image[27, 10, 2] > 200


def test_a_turned_tiff_has_the_size_that_it_is_decoded_to(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels[:, :, ::-1]).save(tmp_path / 'image.tif', exif=exif)
    height, width = read_image(tmp_path / 'image.tif').shape[:2]
    assert image_size(tmp_path / 'image.tif') == (width, height)


@pytest.mark.parametrize('data', [b'', b'no image', b'\xff\xd8\xff\xe0broken'], ids=['empty', 'text', 'cut jpeg'])
def test_what_is_no_image_is_named(tmp_path, data):
    path = tmp_path / 'image.jpg'
    path.write_bytes(data)
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=r'image\.jpg'):
            read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match='gone.jpg cannot be read'):
        read_image(tmp_path / 'gone.jpg')
