"""Decoding and sizes of the kinds of images that occur."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from PIL import Image

from executor.contract.errors import ImageError
from executor.images.decode import image_size, read_image


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


def check_colours(image: np.ndarray, left: tuple[int, int, int], right: tuple[int, int, int], within: int = 0) -> None:
    """(20, 30, 3) BGR bytes of one colour at the left and one at the right."""
    assert (image.shape, image.dtype) == ((20, 30, 3), np.uint8)
    assert np.abs(image[10, 3].astype(int) - left).max() <= within
    assert np.abs(image[10, 26].astype(int) - right).max() <= within


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
@pytest.mark.parametrize('channels', [1, 3])
def test_16_bit_keeps_the_upper_byte(tmp_path, pixels, channels, suffix):
    wide = pixels.astype(np.uint16) * 256 + 77
    path = tmp_path / f'image{suffix}'
    path.write_bytes(cv2.imencode(suffix, wide if channels == 3 else wide[:, :, 2])[1].tobytes())
    left, right = ((255, 0, 0), (0, 0, 255)) if channels == 3 else ((0, 0, 0), (255, 255, 255))
    check_colours(read_image(path), left, right, within=1)
    assert image_size(path) == (30, 20)


@pytest.mark.parametrize(
    'mode, name, options, within',
    [
        ('CMYK', 'image.jpg', {'quality': 95}, 8),
        ('CMYK', 'image.tif', {}, 2),
        ('CMYK', 'image.tif', {'compression': 'tiff_lzw'}, 2),
        ('RGBA', 'image.png', {}, 0),
        ('RGBA', 'image.webp', {}, 8),
        ('RGBA', 'image.tif', {}, 0),
        ('P', 'image.png', {}, 0),
        ('P', 'image.bmp', {}, 0),
        ('P', 'image.tif', {}, 0),
        ('RGB', 'image.tif', {'compression': 'jpeg'}, 8),
        ('RGB', 'image.jpg', {'progressive': True}, 8),
        ('RGB', 'image.jpg', {'format': 'PNG'}, 0),  # another format than the name says
    ],
    ids=str,
)
def test_colours_survive(tmp_path, pixels, mode, name, options, within):
    Image.fromarray(pixels[:, :, ::-1]).convert(mode).save(tmp_path / name, **options)
    check_colours(read_image(tmp_path / name), (255, 0, 0), (0, 0, 255), within)
    assert image_size(tmp_path / name) == (30, 20)


@pytest.mark.parametrize('mode', ['L', 'LA', '1'])
@pytest.mark.parametrize('name', ['image.png', 'image.tif'])
def test_grey_is_the_same_in_three_channels(tmp_path, mode, name):
    grey = np.zeros((20, 30), np.uint8)
    grey[:, 15:] = 255
    Image.fromarray(grey).convert(mode).save(tmp_path / name)
    check_colours(read_image(tmp_path / name), (0, 0, 0), (255, 255, 255))
    assert image_size(tmp_path / name) == (30, 20)


@pytest.mark.parametrize('suffix', ['.png', '.webp'])
def test_what_is_transparent_keeps_its_colour(tmp_path, suffix):
    path = tmp_path / f'image{suffix}'
    Image.new('RGBA', (30, 20), (255, 0, 0, 0)).save(
        path, **({'lossless': True, 'exact': True} if suffix == '.webp' else {})
    )
    check_colours(read_image(path), (0, 0, 255), (0, 0, 255))


@pytest.mark.skipif(not re.search(r'GIF: +YES', cv2.getBuildInformation()), reason='this OpenCV reads no GIF')
def test_gif_gives_its_first_picture(tmp_path, pixels):
    first, second = (Image.fromarray(image) for image in (pixels[:, :, ::-1], pixels))
    first.save(tmp_path / 'image.gif', save_all=True, append_images=[second])
    check_colours(read_image(tmp_path / 'image.gif'), (255, 0, 0), (0, 0, 255))
    assert image_size(tmp_path / 'image.gif') == (30, 20)


@pytest.mark.parametrize('size', [(1, 1), (1, 20), (30, 1), (1, 3000), (10000, 1), (10000, 7)], ids=str)
@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.tif', '.jpg', '.webp'])
def test_thin_and_wide(tmp_path, size, suffix):
    path = tmp_path / f'image{suffix}'
    image = np.full((size[1], size[0], 3), 100, np.uint8)
    path.write_bytes(cv2.imencode(suffix, image)[1].tobytes())
    read = read_image(path)
    assert (read.shape, read.dtype) == ((size[1], size[0], 3), np.uint8)
    assert np.abs(read.astype(int) - 100).max() <= 2
    assert image_size(path) == size


# What EXIF's orientations say is to be done with the pixels to see the picture upright.
UPRIGHT = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}


@pytest.fixture
def corner() -> np.ndarray:
    """(24, 40, 3) uint8 BGR, white with a blue corner at the upper left and a red one at the lower left."""
    image = np.full((24, 40, 3), 255, np.uint8)
    image[:8, :16] = (255, 0, 0)
    image[16:, :8] = (0, 0, 255)
    return image


@pytest.mark.parametrize('orientation', UPRIGHT)
def test_exif_turns_pixels_and_size_alike(tmp_path, corner, orientation):
    path = tmp_path / 'image.jpg'
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(corner[:, :, ::-1]).save(path, exif=exif, quality=95)
    image, expected = read_image(path), UPRIGHT[orientation](corner)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 8
    assert image_size(path) == image.shape[1::-1]


@pytest.mark.parametrize('suffix', ['.png', '.webp', '.tif'])
@pytest.mark.parametrize('orientation', UPRIGHT)
def test_other_turned_files_have_the_size_that_they_are_decoded_to(tmp_path, pixels, orientation, suffix):
    path = tmp_path / f'image{suffix}'
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels[:, :, ::-1]).save(path, exif=exif)
    height, width = read_image(path).shape[:2]
    assert image_size(path) == (width, height)


@pytest.mark.parametrize('data', [b'', b'no image', b'\xff\xd8\xff\xe0broken'], ids=['empty', 'text', 'cut jpeg'])
def test_what_is_no_image_is_named(tmp_path, data):
    path = tmp_path / 'image.jpg'
    path.write_bytes(data)
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=r'image\.jpg'):
            read(path)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp'])
def test_half_an_image_is_none(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    (tmp_path / f'cut{suffix}').write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=rf'cut\{suffix} is not an image'):
        read_image(tmp_path / f'cut{suffix}')


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / 'folder.jpg').mkdir()
    for name in ('gone.jpg', 'folder.jpg'):
        for read in (read_image, image_size):
            with pytest.raises(ImageError, match=f'{name} cannot be read'):
                read(tmp_path / name)
