"""Decode images from disk as BGR, or read their size, both turned as EXIF says: boxes, sizes and pixels agree."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Iterator, List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
from PIL import Image, ImageFile

from executor.contract.errors import ImageError
from executor.contract.shown import first_line
from executor.machine.memory import free_memory

# PIL reads headers only: what is too large for the machine is found here, a bad checksum beside the pixels is no reason
# for OpenCV not to decode them, and what PIL warns of has no name in it.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = True
warnings.filterwarnings('ignore', module=r'PIL\.')

# What is decoded, and how its files begin; PIL and OpenCV know more, of which some run programs or are seldom tried.
_FORMATS = {
    'JPEG': (b'\xff\xd8\xff',),
    'PNG': (b'\x89PNG\r\n\x1a\n',),
    'BMP': (b'BM',),
    'TIFF': (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'),
    'WEBP': (b'RIFF',),
}
if re.search(r'GIF: +YES', cv2.getBuildInformation()):
    _FORMATS['GIF'] = (b'GIF87a', b'GIF89a')
_SIGNATURES = tuple(signature for signatures in _FORMATS.values() for signature in signatures)

_MOST_PIXELS, _MOST_PIXELS_A_SIDE = 2**30, 2**20  # OpenCV's own limits
_DECODING = 12  # bytes a pixel at most, as measured: 6 of most images, 12 of a TIFF, of CMYK and of an animation
_ALWAYS_FREE = 2**28  # bytes, for which nobody looks whether they are there
_ORIENTATION = 0x0112  # the number of the tag, in EXIF and in TIFF
_one_decodes = threading.Lock()


def _free_lock() -> None:
    """Let a forked process decode that has not the thread which held the lock."""
    global _one_decodes
    _one_decodes = threading.Lock()


os.register_at_fork(after_in_child=_free_lock)


def read_image(path: Path) -> np.ndarray:
    """Read an image as (H, W, 3) uint8 BGR, whatever it is on disk (grey, 16 bit, alpha, turned by EXIF).

    Raises:
        ImageError: the file cannot be read or decoded, or promises more than it or the memory can hold.
    """
    return decode(read_bytes(path), path)


def read_bytes(path: Path) -> np.ndarray:
    """Read the file of an image, (length,) uint8.

    Raises:
        ImageError: it cannot be read, or does not begin as an image does.
    """
    with _opened(path) as stream:
        return np.frombuffer(stream.read(), np.uint8)


def decode(data: np.ndarray, path: Path) -> np.ndarray:
    """Decode the content of a file, (length,) uint8, as `read_image` does; `path` is told where that fails."""
    with _named(path):
        _read_header(io.BytesIO(data.data), path, len(data))
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise _broken(path)
    return image


def image_size(path: Path) -> Tuple[int, int]:
    """Read (width, height) in pixels after EXIF orientation, as `read_image` gives it; from the header where possible.

    Raises:
        ImageError: as of `read_image`, as far as the header tells.
    """
    with _opened(path) as stream:
        header = _read_header(stream, path, os.fstat(stream.fileno()).st_size)
        turned = None if header is None else _is_turned(header)
    if header is None or turned is None:
        with _one_decodes:  # seldom so, and each may be large
            return read_image(path).shape[1::-1]
    return header.image.size[::-1] if turned else header.image.size


class _Header(NamedTuple):
    """What PIL knows of a file, and the blocks of EXIF data in it, each after the six bytes that begin it in a JPEG."""

    image: Any
    exif: List[bytes]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file that begins as an image does; what goes wrong with it from here on is told with its name."""
    with _named(path):
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for, a device has no end
            raise ImageError(f'{path} cannot be read as an image (it is no file)')
        with open(path, 'rb', buffering=0) as stream:  # of a large file only some bytes here and there are read
            if not stream.read(16).startswith(_SIGNATURES):
                raise _broken(path, f' (known are {", ".join(_FORMATS).lower()})')
            _check_memory(path, 'has', os.fstat(stream.fileno()).st_size)
            stream.seek(0)
            yield stream


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Tell what goes wrong with an image by its name."""
    try:
        yield
    except (OSError, ValueError, MemoryError, cv2.error) as error:  # ValueError: a path that no file can have
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            raise  # the process has too many files open, and the image may be sound
        raise ImageError(f'{path} cannot be read as an image ({first_line(error)})')


def _broken(path: Path, why: str = '') -> ImageError:
    return ImageError(f'{path} is not an image that can be decoded: replace or remove it{why}')


def _read_header(stream: BinaryIO, path: Path, length: int) -> Optional[_Header]:
    """Read the header of a file of `length` bytes; None where PIL cannot: OpenCV has the last word.

    Raises:
        ImageError: it promises more than the file or the memory can hold.
    """
    png_exif = _exif_chunks(stream, path, length)
    try:
        image: Any = Image.open(stream, formats=tuple(_FORMATS))
    except Exception:  # PIL's readers raise many kinds
        return None
    width, height = image.size
    promise = f'its header promises {width} x {height} pixels'
    if max(width, height) > _MOST_PIXELS_A_SIDE or width * height > _MOST_PIXELS:
        raise _broken(path, f' ({promise}, which is too many)')
    if length < _fewest_bytes(image):
        raise _broken(path, f' ({promise}, which {length} bytes cannot hold)')
    _check_memory(path, f'promises {width} x {height} pixels, for which decoding takes', width * height * _DECODING)
    if image.format in ('JPEG', 'MPO'):
        return _Header(image, [content for _, content in image.applist if content.startswith(b'Exif\0\0')])
    if image.format == 'PNG':
        return _Header(image, [b'Exif\0\0' + content for content in png_exif])
    return _Header(image, [b'Exif\0\0' + image.info['exif']] if 'exif' in image.info else [])


def _check_memory(path: Path, takes: str, count: int) -> None:
    if count > _ALWAYS_FREE and count > free_memory():
        raise ImageError(f'{path} {takes} {count} bytes, more than memory has room for: replace or remove it')


def _fewest_bytes(image: Image.Image) -> int:
    """Give the bytes that a file with such a header cannot do without; 0 where a few are enough for an even area.

    Deflate makes of one byte 1032 at most. A JPEG has a bit or more for each block of 8 x 8 pixels, or of 16 x 16 where
    its colours are sampled oddly; none is known that is coded arithmetically.
    """
    pixels = image.width * image.height
    if image.format in ('JPEG', 'MPO'):
        return pixels // (8 * 16 * 16)
    if image.format == 'PNG':
        channels = len(image.getbands())
        return pixels * (channels if channels > 1 else 1 / 8) // 1032
    # BMP says 0 or 3, TIFF 'raw'.
    return pixels // 8 if image.info.get('compression') in (0, 3, 'raw') else 0


def _exif_chunks(stream: BinaryIO, path: Path, length: int) -> List[bytes]:
    """Read the sound EXIF data of a PNG, before or behind its pixels, which PIL would decode to look behind them.

    Of another file nothing.

    Raises:
        ImageError: a chunk is longer than the file; OpenCV would first get memory for it, up to 4 GB.
    """
    found: List[bytes] = []
    offset, kind = 8, b''
    if stream.read(8) not in _FORMATS['PNG']:
        return found
    while offset + 8 <= length and kind != b'IEND':
        stream.seek(offset)
        size, kind = struct.unpack('>I4s', stream.read(8))
        offset += size + 12
        if offset > length:
            raise _broken(path, f' (it ends after {length} bytes, before the end of a chunk of {size})')
        if kind == b'eXIf':
            content = stream.read(size)
            if zlib.crc32(kind + content).to_bytes(4, 'big') == stream.read(4):
                found.append(content)
    return found


def _is_turned(header: _Header) -> Optional[bool]:
    """Tell whether OpenCV turns an image by 90 degrees; None where only decoding can tell."""
    image, exif = header
    if image.format == 'TIFF':
        return False if image.tag_v2.get(_ORIENTATION, 1) in (1, 2, 3, 4) else None
    if not exif:
        return False
    if len(exif) > 1 or (image.format == 'PNG' and getattr(image, 'is_animated', False)):
        return None
    # What OpenCV makes of EXIF data differs between formats, versions and mistakes in them: it is shown these on an
    # image of 1 x 2 pixels.
    tiny = io.BytesIO()
    Image.new('L', (1, 2)).save(tiny, 'JPEG' if image.format == 'MPO' else image.format, exif=exif[0])
    decoded = cv2.imdecode(np.frombuffer(tiny.getbuffer(), np.uint8), cv2.IMREAD_COLOR)
    return None if decoded is None else decoded.shape[:2] == (1, 2)
