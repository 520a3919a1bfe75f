"""Decode images from disk as BGR, or read their size, both turned as EXIF says: boxes, sizes and pixels agree."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import cv2
import numpy as np
from PIL import Image

from executor.contract.errors import ImageError

# YMIR's assets may be larger than what PIL takes for an attack; only the header is read here.
Image.MAX_IMAGE_PIXELS = None

_EXIF_ORIENTATION = 0x0112


def read_image(path: Path) -> np.ndarray:
    """Read an image as (H, W, 3) uint8 BGR, whatever it is on disk (grey, 16 bit, alpha, turned by EXIF).

    Raises:
        ImageError: the file cannot be read or decoded.
    """
    try:
        data = np.fromfile(str(path), dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, ValueError, cv2.error) as error:  # ValueError: a path that no file can have
        raise ImageError(f'{path} cannot be read as an image ({error})')
    if image is None:
        raise ImageError(f'{path} is not an image that can be decoded: replace or remove it')
    return image


def image_size(path: Path) -> Tuple[int, int]:
    """Read (width, height) in pixels after EXIF orientation, from the header where possible.

    Only of JPEG is it certain that PIL's header and OpenCV's pixels agree on a turned image; TIFF, for one, they treat
    differently. Such an image is decoded.

    Raises:
        ImageError: the file cannot be read or decoded.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
            known = orientation == 1 or image.format in ('JPEG', 'MPO')
    except Exception:  # PIL's readers raise many kinds on broken headers; OpenCV has the last word
        known = False
    if not known:
        height, width = read_image(path).shape[:2]
    elif orientation in (5, 6, 7, 8):  # turned by 90 degrees
        width, height = height, width
    return width, height
