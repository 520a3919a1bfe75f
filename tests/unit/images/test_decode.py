"""Decoding and sizes of the kinds of images that occur."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from executor.contract.errors import ImageError
from executor.images.decode import image_size, read_image

BLUE, RED, BLACK, WHITE = (255, 0, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)  # BGR
PIXELS = np.full((20, 30, 3), BLUE, np.uint8)
PIXELS[:, 15:] = RED


def check_colours(path: Path, left: tuple[int, int, int], right: tuple[int, int, int], within: int = 0) -> None:
    """30 x 20 pixels of BGR bytes, of one colour at the left and one at the right."""
    image = read_image(path)
    assert (image.shape, image.dtype, image_size(path)) == ((20, 30, 3), np.uint8, (30, 20))
    assert np.abs(image[10, 3].astype(int) - left).max() <= within
    assert np.abs(image[10, 26].astype(int) - right).max() <= within


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.tif', '.jpg', '.webp', ''])
def test_formats(tmp_path, suffix):
    path = tmp_path / f'image{suffix}'
    path.write_bytes(cv2.imencode(suffix or '.png', PIXELS)[1].tobytes())
    check_colours(path, BLUE, RED, within=8)


@pytest.mark.parametrize('mode, grey', [('L', 128), ('RGBA', (128, 128, 128, 10)), ('I;16', 128 * 257)])
def test_modes_become_bgr_bytes(tmp_path, mode, grey):
    Image.new(mode, (30, 20), grey).save(tmp_path / 'image.png')
    check_colours(tmp_path / 'image.png', (128, 128, 128), (128, 128, 128), within=1)


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
@pytest.mark.parametrize('channels, left, right', [(1, BLACK, WHITE), (3, BLUE, RED)])
def test_16_bit_keeps_the_upper_byte(tmp_path, channels, left, right, suffix):
    wide = PIXELS.astype(np.uint16) * 256 + 77
    path = tmp_path / f'image{suffix}'
    path.write_bytes(cv2.imencode(suffix, wide if channels == 3 else wide[:, :, 2])[1].tobytes())
    check_colours(path, left, right, within=1)


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
def test_colours_survive(tmp_path, mode, name, options, within):
    Image.fromarray(PIXELS[:, :, ::-1]).convert(mode).save(tmp_path / name, **options)
    check_colours(tmp_path / name, BLUE, RED, within)


@pytest.mark.parametrize('mode', ['L', 'LA', '1'])
@pytest.mark.parametrize('name', ['image.png', 'image.tif'])
def test_grey_is_the_same_in_three_channels(tmp_path, mode, name):
    Image.fromarray(PIXELS[:, :, 2]).convert(mode).save(tmp_path / name)
    check_colours(tmp_path / name, BLACK, WHITE)


@pytest.mark.parametrize('name, options', [('image.png', {}), ('image.webp', {'lossless': True, 'exact': True})])
def test_what_is_transparent_keeps_its_colour(tmp_path, name, options):
    Image.new('RGBA', (30, 20), (255, 0, 0, 0)).save(tmp_path / name, **options)
    check_colours(tmp_path / name, RED, RED)


@pytest.mark.skipif(not re.search(r'GIF: +YES', cv2.getBuildInformation()), reason='this OpenCV reads no GIF')
def test_gif_gives_its_first_picture(tmp_path):
    first, second = (Image.fromarray(image) for image in (PIXELS[:, :, ::-1], PIXELS))
    first.save(tmp_path / 'image.gif', save_all=True, append_images=[second])
    check_colours(tmp_path / 'image.gif', BLUE, RED)


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


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tif'])
@pytest.mark.parametrize('orientation', UPRIGHT)
def test_exif_turns_pixels_and_size_alike(tmp_path, orientation, suffix):
    """Where OpenCV turns the pixels; otherwise the size is that of the pixels as they are decoded."""
    corners = np.full((24, 40, 3), WHITE, np.uint8)
    corners[:8, :16], corners[16:, :8] = BLUE, RED  # at the upper and at the lower left
    path, exif = tmp_path / f'image{suffix}', Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(corners[:, :, ::-1]).save(path, exif=exif, quality=95)
    image, expected = read_image(path), UPRIGHT[orientation](corners)
    assert image_size(path) == image.shape[1::-1]
    if suffix == '.jpg':
        assert image.shape == expected.shape
        assert np.abs(image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize('read', [read_image, image_size])
def test_what_is_no_image_is_named(tmp_path, read):
    for data in (b'', b'no image', b'\xff\xd8\xff\xe0broken'):
        (tmp_path / 'image.jpg').write_bytes(data)
        with pytest.raises(ImageError, match=r'image\.jpg'):
            read(tmp_path / 'image.jpg')
    (tmp_path / 'folder.jpg').mkdir()
    for name in ('gone.jpg', 'folder.jpg'):
        with pytest.raises(ImageError, match=f'{name} cannot be read'):
            read(tmp_path / name)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp'])
def test_half_an_image_is_none(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    (tmp_path / f'cut{suffix}').write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=rf'cut\{suffix} is not an image'):
        read_image(tmp_path / f'cut{suffix}')
