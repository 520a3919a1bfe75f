"""Decoding and sizes of the kinds of images that occur."""

from __future__ import annotations

import io
import os
import re
import socket
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from executor.contract.errors import ImageError
from executor.images import decode
from executor.images.decode import image_size, read_image
from tests.support.peak_memory import peak_memory

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


# --- sizes from headers ---------------------------------------------------------------------------------------------


def exif(orientation: int, kind: int = 3, order: str = '<') -> bytes:
    """EXIF data of one tag, of `kind` 3 (two bytes) or 4 (four bytes)."""
    value = struct.pack(f'{order}HH', orientation, 0) if kind == 3 else struct.pack(f'{order}I', orientation)
    entry = struct.pack(f'{order}HHI', 0x0112, kind, 1) + value
    return (b'II' if order == '<' else b'MM') + struct.pack(f'{order}HIH', 42, 8, 1) + entry + bytes(4)


def saved(kind: str, mode: str = 'RGB', **options: object) -> bytes:
    """30 x 20 pixels of noise as PIL writes them."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    """A chunk of a PNG, with a wrong checksum where `wrong` is not 0."""
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content) ^ wrong)


def png(*before: bytes, behind: bytes = b'', **options: object) -> bytes:
    """A PNG with more chunks before its pixels, or behind them."""
    data = saved('PNG', **options)
    return data[:33] + b''.join(before) + data[33:-12] + behind + data[-12:]


def jpeg(*segments: bytes) -> bytes:
    """A JPEG with more APP1 segments."""
    data = saved('JPEG')
    return data[:2] + b''.join(b'\xff\xe1' + struct.pack('>H', len(one) + 2) + one for one in segments) + data[2:]


TURNED = chunk(b'eXIf', exif(6))
RAW_PROFILE = f'\nexif\n{len(exif(6)) + 6:8}\n{(b"Exif" + bytes(2) + exif(6)).hex()}\n'.encode()
EXIF, XMP = b'Exif\0\0', b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
TWO = {'save_all': True, 'append_images': [Image.new('RGB', (30, 20))]}
HEADERS = {
    'png': png(),
    'png turned': png(TURNED),
    'png of Motorola': png(chunk(b'eXIf', exif(6, order='>'))),
    'png turned behind its pixels': png(behind=TURNED),
    'png turned by a long': png(chunk(b'eXIf', exif(6, 4))),
    'png turned by a long of Motorola': png(chunk(b'eXIf', exif(6, 4, '>'))),
    'png with EXIF of a JPEG': png(chunk(b'eXIf', EXIF + exif(6))),
    'png with EXIF of a wrong checksum': png(chunk(b'eXIf', exif(6), wrong=1)),
    'png with text of a wrong checksum': png(chunk(b'tEXt', b'a\0b', wrong=1)),
    'png twice turned': png(TURNED, chunk(b'eXIf', exif(1))),
    'png turned and not': png(chunk(b'eXIf', exif(1)), behind=TURNED),
    'png with large EXIF': png(chunk(b'eXIf', exif(6) + bytes(70000))),
    'png with an old profile': png(chunk(b'zTXt', b'Raw profile type exif\0\0' + zlib.compress(RAW_PROFILE))),
    'png with XMP': png(chunk(b'iTXt', b'XML:com.adobe.xmp\0\0\0\0\0' + XMP)),
    'png animated': png(**TWO),
    'png animated and turned': png(TURNED, **TWO),
    'png in 16 colours': saved('PNG', 'P', bits=4),
    'jpeg': jpeg(),
    'jpeg turned': jpeg(EXIF + exif(6)),
    'jpeg of Motorola': jpeg(EXIF + exif(8, order='>')),
    'jpeg turned by a long of Motorola': jpeg(EXIF + exif(6, 4, '>')),
    'jpeg of an unknown orientation': jpeg(EXIF + exif(9)),
    'jpeg with XMP alone': jpeg(XMP),
    'jpeg turned, then XMP': jpeg(EXIF + exif(6), XMP),
    'jpeg turned and not': jpeg(EXIF + exif(6), EXIF + exif(1)),
    'jpeg not turned and turned': jpeg(EXIF + exif(1), EXIF + exif(6)),
    'jpeg of broken EXIF': jpeg(EXIF + b'broken EXIF data'),
    'jpeg of broken EXIF, then turned': jpeg(EXIF + b'broken EXIF data', EXIF + exif(6)),
    'jpeg of empty EXIF': jpeg(EXIF),
    'jpeg in CMYK': saved('JPEG', 'CMYK'),
    'mpo': saved('MPO', **TWO),
    'webp': saved('WEBP'),
    'webp turned': saved('WEBP', exif=exif(6)),
    'webp without loss, turned': saved('WEBP', lossless=True, exif=exif(5)),
    'webp animated and turned': saved('WEBP', exif=exif(6), **TWO),
    'tiff': saved('TIFF'),
    'tiff of two pages': saved('TIFF', save_all=True, append_images=[Image.new('RGB', (9, 7))]),
    'bmp': saved('BMP'),
    'bmp from the top': struct.pack('<i', -20).join([saved('BMP')[:22], saved('BMP')[26:]]),
}


@pytest.mark.parametrize('name', HEADERS)
def test_the_size_is_that_of_the_pixels(tmp_path, name):
    (tmp_path / 'image').write_bytes(HEADERS[name])
    size = image_size(tmp_path / 'image')
    assert size == read_image(tmp_path / 'image').shape[1::-1]
    assert sorted(size) == [20, 30]


def test_sizes_need_no_decoding(tmp_path, monkeypatch):
    """But for the few that nobody writes."""
    decoded = []
    monkeypatch.setattr(decode, 'read_image', lambda path: decoded.append(path.name) or np.zeros((1, 1, 3), np.uint8))
    for name, data in HEADERS.items():
        (tmp_path / name).write_bytes(data)
        image_size(tmp_path / name)
    assert decoded == [
        *('png twice turned', 'png turned and not', 'png animated and turned'),
        *('jpeg turned and not', 'jpeg not turned and turned', 'jpeg of broken EXIF, then turned'),
    ]


@pytest.mark.parametrize('place', ['before', 'behind'])
def test_a_large_png_is_measured_without_its_pixels(tmp_path, place):
    """PIL decodes it to look for EXIF data behind the pixels: 400 MB."""
    side = 20_000
    data = [b'\x89PNG\r\n\x1a\n', chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0))]
    pixels = zlib.compress(bytes(side * (side + 1)), 1)
    pieces = [chunk(b'IDAT', pixels[start : start + 8192]) for start in range(0, len(pixels), 8192)]
    data += [TURNED, *pieces] if place == 'before' else [*pieces, TURNED]
    (tmp_path / 'large.png').write_bytes(b''.join([*data, chunk(b'IEND', b'')]))
    code = """
import sys
from pathlib import Path
from executor.images.decode import image_size
assert image_size(Path(sys.argv[1])) == (20_000, 20_000)
"""
    assert peak_memory(code, tmp_path / 'large.png') < 150


# --- promises -------------------------------------------------------------------------------------------------------


def with_size(data: bytes, kind: str, width: int, height: int) -> bytes:
    """The same file with another size in its header."""
    if kind == 'PNG':
        return data[:8] + chunk(b'IHDR', struct.pack('>II', width, height) + data[24:29]) + data[33:]
    if kind == 'JPEG':
        place = re.search(b'\xff[\xc0-\xc2]', data).start() + 5
        return data[:place] + struct.pack('>HH', height, width) + data[place + 4 :]
    if kind == 'BMP':
        return data[:18] + struct.pack('<ii', width, height) + data[26:]
    sides = {0x0100: width, 0x0101: height}  # TIFF
    for tag, side in sides.items():
        place = data.index(
            struct.pack('<HHI', tag, 4, 1) if struct.pack('<HHI', tag, 4, 1) in data else struct.pack('<HHI', tag, 3, 1)
        )
        data = data[:place] + struct.pack('<HHII', tag, 4, 1, side) + data[place + 12 :]
    return data


LIARS = [('PNG', {}), ('JPEG', {}), ('JPEG', {'progressive': True}), ('BMP', {}), ('TIFF', {})]


@pytest.mark.parametrize('kind, options', LIARS, ids=str)
@pytest.mark.parametrize('read', ['read_image', 'image_size'])
def test_more_pixels_than_the_file_can_hold(tmp_path, kind, options, read):
    (tmp_path / 'liar').write_bytes(with_size(saved(kind, **options), kind, 30000, 30001))
    code = """
import sys
from pathlib import Path
from executor.contract.errors import ImageError
from executor.images.decode import image_size, read_image
try:
    print(eval(sys.argv[1])(Path(sys.argv[2])), file=sys.stderr)
    raise SystemExit('it was read')
except ImageError as error:
    assert '/liar is not' in str(error) and '30000 x 30001 pixels, which ' in str(error), error
"""
    assert peak_memory(code, read, tmp_path / 'liar') < 150


@pytest.mark.parametrize('place', [8, 33], ids=['header', 'pixels'])
def test_a_chunk_longer_than_its_file(tmp_path, place):
    """OpenCV would make room for it, 4 GB."""
    data = png()
    (tmp_path / 'liar.png').write_bytes(data[:place] + b'\xff\xff\xff\xf0' + data[place + 4 :])
    code = """
import sys
from pathlib import Path
from executor.contract.errors import ImageError
from executor.images.decode import image_size, read_image
for read in (image_size, read_image):
    try:
        read(Path(sys.argv[1]))
        raise SystemExit('it was read')
    except ImageError as error:
        assert '/liar.png is not' in str(error) and 'before the end of a chunk of 4294967280' in str(error), error
"""
    assert peak_memory(code, tmp_path / 'liar.png') < 150


@pytest.mark.parametrize(
    'kind, mode, options',
    [
        ('PNG', '1', {'optimize': True}),
        ('PNG', 'RGB', {'optimize': True}),
        ('PNG', 'RGBA', {'optimize': True}),
        ('PNG', 'P', {'optimize': True}),
        ('PNG', 'I;16', {}),
        ('JPEG', 'L', {'optimize': True, 'quality': 1}),
        ('JPEG', 'L', {'optimize': True, 'progressive': True}),
        ('JPEG', 'RGB', {'optimize': True, 'progressive': True, 'subsampling': 2}),
        ('BMP', '1', {}),
        ('TIFF', '1', {}),
        ('TIFF', '1', {'compression': 'group4'}),
        ('TIFF', 'L', {'compression': 'tiff_lzw'}),
        ('WEBP', 'RGB', {'lossless': True}),
    ],
    ids=str,
)
def test_an_even_area_is_believed(tmp_path, kind, mode, options):
    """These are the smallest files that encoders write."""
    Image.new(mode, (3000, 2000)).save(tmp_path / 'even', kind, **options)
    assert image_size(tmp_path / 'even') == (3000, 2000)
    assert read_image(tmp_path / 'even').shape == (2000, 3000, 3)


@pytest.mark.parametrize('size', [(2**20 + 1, 1), (40000, 40000)], ids=str)
def test_more_pixels_than_can_be_decoded(tmp_path, size):
    """A JPEG cannot be as long, a WebP not as large; the file is large enough for them."""
    data = with_size(saved('PNG', '1'), 'PNG', *size) + bytes(250_000)
    (tmp_path / 'large.png').write_bytes(data)
    for read in (image_size, read_image):
        with pytest.raises(ImageError, match=rf'large\.png is not.* {size[0]} x {size[1]} pixels, which is too many'):
            read(tmp_path / 'large.png')


@pytest.mark.parametrize('read', [read_image, image_size])
def test_more_pixels_than_memory_has_room_for(tmp_path, monkeypatch, read):
    Image.new('1', (6000, 6000)).save(tmp_path / 'large.png')
    monkeypatch.setattr(decode, 'free_memory', lambda: 6000 * 6000 * 12 - 1)
    with pytest.raises(ImageError, match=r'large\.png promises 6000 x 6000 pixels.* 432000000 bytes, more than memory'):
        read(tmp_path / 'large.png')
    monkeypatch.setattr(decode, 'free_memory', lambda: 6000 * 6000 * 12)
    read(tmp_path / 'large.png')


@pytest.mark.parametrize('read', [read_image, image_size])
def test_a_file_of_a_terabyte(tmp_path, read):
    (tmp_path / 'huge.jpg').write_bytes(jpeg())
    os.truncate(tmp_path / 'huge.jpg', 10**12)
    with pytest.raises(ImageError, match=r'huge\.jpg has 1000000000000 bytes, more than memory has room for'):
        read(tmp_path / 'huge.jpg')


def test_memory_that_ends_while_decoding_is_told_with_the_name(tmp_path):
    """The limit leaves room for the file, and for no more than half of the pixels."""
    Image.new('1', (16000, 16000)).save(tmp_path / 'large.png')
    code = """
import resource, sys
from pathlib import Path
from executor.contract.errors import ImageError
from executor.images.decode import read_image
taken = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 400_000_000, taken + 400_000_000))
try:
    read_image(Path(sys.argv[1]))
    raise SystemExit('it was read')
except ImageError as error:
    assert 'large.png cannot be read as an image' in str(error) and 'memory' in str(error), error
"""
    assert peak_memory(code, tmp_path / 'large.png') < 400


# --- what is opened at all ------------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
@pytest.mark.parametrize('read', [read_image, image_size])
@pytest.mark.parametrize('kind', ['pipe', 'socket', 'zero', 'dangling'])
def test_only_files_are_opened(tmp_path, monkeypatch, kind, read):
    monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
    path = Path('image.jpg')
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'socket':
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        path.symlink_to('/dev/zero' if kind == 'zero' else 'gone.jpg')
    with pytest.raises(ImageError, match=r'image\.jpg cannot be read as an image'):
        read(path)


@pytest.mark.parametrize('read', [read_image, image_size])
@pytest.mark.parametrize(
    'data',
    [
        b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 20\n',  # PIL would start Ghostscript
        b'P6\n1 1\n255\nabc',
        b'Pf\n1 1\n-1.0\nabcd',
        b'#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\nabcd',
        b'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"/>',
        b'SIMPLE  =                    T',
        b'8BPS\0\1' + bytes(20),
        saved('JPEG2000'),
        saved('ICO', sizes=[(16, 16)]),
    ],
    ids=lambda data: repr(data[:6]),
)
def test_other_formats_are_not_tried(tmp_path, data, read):
    (tmp_path / 'image.jpg').write_bytes(data)
    with pytest.raises(ImageError, match=r'image\.jpg is not an image that can be decoded.*jpeg, png, bmp, tiff, webp'):
        read(tmp_path / 'image.jpg')


@pytest.mark.parametrize('name', [b'one\ntwo.jpg', b'\xff\xfe.jpg', 'ü\u2028.jpg'.encode(), b'\x1b[31m.jpg'])
def test_any_name_a_file_can_have(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(jpeg())
    assert image_size(path) == (30, 20) and read_image(path).shape == (20, 30, 3)
    path.write_bytes(b'no image')
    for read in (image_size, read_image):
        with pytest.raises(ImageError) as caught:
            read(path)
        assert os.fsdecode(name) in str(caught.value)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'WEBP', 'GIF', 'BMP', 'TIFF'])
def test_whatever_is_broken_is_told(tmp_path, kind):
    """Each file cut and with bytes changed: read, or an ImageError; and what is read has the size told before."""
    whole = saved(kind)
    rng = np.random.default_rng(0)
    path = tmp_path / 'image'
    for attempt in range(300):
        data = bytearray(whole if attempt % 3 else whole[: rng.integers(len(whole))])
        for place in rng.integers(0, min(len(data), 200) or 1, attempt % 4):
            data[place : place + 1] = rng.bytes(1)
        path.write_bytes(data)
        try:
            size, shape = image_size(path), read_image(path).shape
        except ImageError:
            continue
        assert size == shape[1::-1]
