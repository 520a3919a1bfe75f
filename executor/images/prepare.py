"""Make a decoded image into what a network gets; runs in the loading processes, so nothing here needs a model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Mapping, NamedTuple, Optional, Protocol, Tuple

import cv2
import numpy as np

Size = Tuple[int, int]  # (width, height) in pixels


class Prepared(NamedTuple):
    """One image as the network gets it."""

    pixels: np.ndarray  # (H, W, 3) BGR, uint8 (float32 where a transform of mmdet's leaves that)
    size: Size  # of the original image
    scale: Tuple[float, float]  # (x, y) network pixels per original pixel
    meta: Mapping[str, object] = {}  # what else mmdet's transforms say, under their names; empty after `Letterbox`
    look: Optional[np.ndarray] = None  # of the original image, see `look`, where it was asked for


class Preparation(Protocol):
    """A way to prepare images, which can be sent to another process."""

    @property
    def largest(self) -> int:
        """Give the bytes of the largest result; 0 where they are not known before an image is there."""

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        """Prepare (H, W, 3) uint8 BGR; into the flat uint8 buffer `out`, of at least `largest` bytes, if any."""


@dataclass(frozen=True)
class Letterbox:
    """Bilinear resizing, then padding to the right and below: at once and pixel by pixel mmdet's `Resize` and `Pad`."""

    scale: Size  # to fit into, or to stretch to where `keep_ratio` is false
    keep_ratio: bool
    pad_to_square: bool = False  # the shorter side to the longer one
    pad_size: Optional[Size] = None  # the least each side is padded to
    pad_divisor: int = 1  # of each side
    pad_value: Tuple[float, ...] = (0.0, 0.0, 0.0)  # (B, G, R)

    def resized(self, size: Size) -> Size:
        """Give (width, height) of the image itself inside the network's input."""
        if not self.keep_ratio:
            return self.scale
        ratio = min(max(self.scale) / max(size), min(self.scale) / min(size))
        # Of an image thinner than the ratio allows mmdet would leave nothing; a pixel stays.
        width, height = (max(1, int(side * ratio + 0.5)) for side in size)
        return width, height

    def padded(self, resized: Size) -> Size:
        """Give (width, height) of the network's input."""
        width, height = resized
        if self.pad_to_square:
            width = height = max(width, height)
        if self.pad_size is not None:
            width, height = max(width, self.pad_size[0]), max(height, self.pad_size[1])
        width, height = (math.ceil(side / self.pad_divisor) * self.pad_divisor for side in (width, height))
        return width, height

    @property
    def largest(self) -> int:
        """Give the bytes of the largest input that any image can become."""
        long, short = max(self.scale), min(self.scale)
        sides = [self.padded(side) for side in ((long, short), (short, long), self.scale)]
        return max(width * height for width, height in sides) * 3

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        height, width = image.shape[:2]
        new_width, new_height = self.resized((width, height))
        full_width, full_height = self.padded((new_width, new_height))
        shape = (full_height, full_width, 3)
        pixels = np.empty(shape, np.uint8) if out is None else out[: math.prod(shape)].reshape(shape)
        inner = pixels[:new_height, :new_width]
        if (new_width, new_height) == (width, height):
            inner[:] = image
        else:
            cv2.resize(image, (new_width, new_height), dst=inner, interpolation=cv2.INTER_LINEAR)
        grey = np.array(self.pad_value, np.uint8)
        grey = grey[0] if (grey == grey[0]).all() else grey  # one number is filled in much faster than three
        pixels[:new_height, new_width:] = grey
        pixels[new_height:] = grey
        return Prepared(pixels, (width, height), (new_width / width, new_height / height))


class SizeOnly:
    """The image's size alone, where no network will see it."""

    largest = 0

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        return Prepared(np.zeros((0, 0, 3), np.uint8), (image.shape[1], image.shape[0]), (1.0, 1.0))
