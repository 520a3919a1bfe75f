"""Draw boxes on small pictures, and put these into a page."""

from __future__ import annotations

import base64
from typing import Sequence, Tuple

import cv2
import numpy as np

_QUALITY = 80


def shrunk(image: np.ndarray, side: int) -> Tuple[np.ndarray, float]:
    """Copy an image, no larger than `side` pixels each way; returns also the pixels of the copy per pixel of it."""
    scale = min(1.0, side / max(image.shape[:2]))
    width, height = (max(1, round(length * scale)) for length in image.shape[1::-1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), scale


def draw_box(canvas: np.ndarray, corners: Sequence[int], colour: str, thickness: int) -> None:
    """Draw the edges of a box; the lower right corner is just outside."""
    x1, y1, x2, y2 = corners
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), bgr(colour), thickness)


def bgr(colour: str) -> Tuple[int, int, int]:
    """Read a colour as a page writes it, #rrggbb."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return blue, green, red


def jpeg_uri(picture: np.ndarray) -> str:
    """Make a picture (H, W, 3) uint8 BGR into what an `img` shows without a network."""
    return jpeg_data_uri(jpeg_bytes(picture))


def jpeg_data_uri(data: bytes) -> str:
    """Make the bytes of a JPEG into what an `img` shows without a network."""
    return 'data:image/jpeg;base64,' + base64.b64encode(data).decode('ascii')


def jpeg_bytes(picture: np.ndarray) -> bytes:
    """Encode a picture (H, W, 3) uint8 BGR as it is small and still good to look at."""
    _, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data.tobytes())
