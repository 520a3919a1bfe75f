"""Draw a training picture: each image is warped once, from memory straight to where it lands."""

from __future__ import annotations

import math
from typing import Callable, List, NamedTuple, Optional, Tuple

import cv2
import numpy as np

from executor.images.prepare import Size

Pixels = Callable[[int], np.ndarray]  # of an image, (H, W, 3) uint8 BGR, whole, but maybe smaller than it is on disk


class Layer(NamedTuple):
    """An image that is drawn into a picture.

    All coordinates are those of areas: a pixel covers x to x + 1, its centre lies at x + 0.5.
    """

    image: int
    size: Size  # of the image on disk; its coordinates are measured in these pixels
    matrix: np.ndarray  # (3, 3), affine, from the image to the picture
    part: Tuple[float, float, float, float]  # x1 y1 x2 y2 in the image, all else of which is not drawn

    def moved(self, matrix: np.ndarray) -> Layer:
        """Apply another matrix after its own."""
        return self._replace(matrix=matrix @ self.matrix)


class Picture(NamedTuple):
    """What is to be drawn. Later layers cover earlier ones; where there is none, it is filled with grey."""

    size: Size
    layers: List[Layer]
    grey: float = 0
    mixed: Optional[List[Layer]] = None  # a second picture, of which each pixel is half
    hsv: Optional[np.ndarray] = None  # (3,) int, added to hue, saturation and value
    padded: Optional[Size] = None  # the size that it is enlarged to at last, to the right and below
    padding: Tuple[float, ...] = (0, 0, 0)  # (B, G, R)

    def transformed(self, matrix: np.ndarray, size: Size) -> Picture:
        """Move all that is there, and give it another size."""
        mixed = None if self.mixed is None else [layer.moved(matrix) for layer in self.mixed]
        return self._replace(size=size, layers=[layer.moved(matrix) for layer in self.layers], mixed=mixed)

    def draw(self, pixels: Pixels) -> np.ndarray:
        """Draw it, (H, W, 3) uint8 BGR; `pixels` gives the images."""
        width, height = self.padded or self.size
        drawn = np.empty((height, width, 3), np.uint8)
        inner = drawn[: self.size[1], : self.size[0]]
        _draw_layers(inner, self.layers, self.grey, pixels)
        if self.mixed is not None:
            other = np.empty_like(inner)
            _draw_layers(other, self.mixed, self.grey, pixels)
            cv2.addWeighted(inner, 0.5, other, 0.5, 0, dst=inner)
        if self.hsv is not None:
            add_hsv(inner, self.hsv)
        drawn[: self.size[1], self.size[0] :] = np.array(self.padding, np.uint8)
        drawn[self.size[1] :] = np.array(self.padding, np.uint8)
        return drawn


def whole(image: int, size: Size) -> Layer:
    """Make an image the layer that covers a picture of its size."""
    return Layer(image, size, np.eye(3), (0, 0, *size))


def shift(x: float, y: float) -> np.ndarray:
    """Give the matrix that moves to the right and down."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def scaling(x: float, y: float) -> np.ndarray:
    """Give the matrix that multiplies the coordinates."""
    return np.array([[x, 0, 0], [0, y, 0], [0, 0, 1]], np.float64)


def mirror(size: Size, horizontally: bool, vertically: bool) -> np.ndarray:
    """Give the matrix that flips a picture of that size."""
    x, y = -1 if horizontally else 1, -1 if vertically else 1
    return shift(size[0] if horizontally else 0, size[1] if vertically else 0) @ scaling(x, y)


def add_hsv(image: np.ndarray, gains: np.ndarray) -> None:
    """Add to hue (of 180, around the circle), saturation and value (of 255, clipped) of uint8 BGR, in place."""
    if not gains.any():
        return  # but for rounding, which the way there and back costs
    channels = list(cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV)))
    values = np.arange(256)
    tables = ((values + gains[0]) % 180, np.clip(values + gains[1], 0, 255), np.clip(values + gains[2], 0, 255))
    for number, table in enumerate(tables):
        if gains[number]:
            channels[number] = cv2.LUT(channels[number], table.astype(np.uint8))
    cv2.cvtColor(cv2.merge(channels), cv2.COLOR_HSV2BGR, dst=image)


def _draw_layers(onto: np.ndarray, layers: List[Layer], grey: float, pixels: Pixels) -> None:
    onto[:] = int(grey)
    for layer in layers:
        _draw(onto, layer, pixels)


def _draw(onto: np.ndarray, layer: Layer, pixels: Pixels) -> None:
    x1, y1, x2, y2 = layer.part
    corners = layer.matrix[:2] @ np.array([[x1, x2, x2, x1], [y1, y1, y2, y2], [1, 1, 1, 1]], np.float64)
    (left, top), (right, bottom) = edges = corners.min(1), corners.max(1)
    # The pixels whose centres lie inside, of the picture's.
    left, right = max(0, math.ceil(left - 0.5)), min(onto.shape[1], math.floor(right + 0.5))
    top, bottom = max(0, math.ceil(top - 0.5)), min(onto.shape[0], math.floor(bottom + 0.5))
    if left >= right or top >= bottom:
        return
    image, place = pixels(layer.image), onto[top:bottom, left:right]
    (a, b, _), (c, d, _), _ = layer.matrix
    is_whole = layer.part == (0, 0, *layer.size)
    if is_whole and b == 0 == c and np.allclose(edges, ((left, top), (right, bottom)), rtol=0, atol=1e-3):
        _resize(place, image, flip=(a < 0, d < 0))
    else:
        _warp(place, image, layer, (left, top))


def _resize(place: np.ndarray, image: np.ndarray, flip: Tuple[bool, bool]) -> None:
    """Draw a whole image upright, as mmdet's `Resize` and `RandomFlip` do, pixel by pixel."""
    if place.shape == image.shape:
        place[:] = image
    else:
        cv2.resize(image, place.shape[1::-1], dst=place, interpolation=cv2.INTER_LINEAR)
    if any(flip):
        cv2.flip(place, {(True, False): 1, (False, True): 0, (True, True): -1}[flip], dst=place)


def _warp(place: np.ndarray, image: np.ndarray, layer: Layer, origin: Tuple[int, int]) -> None:
    """Draw the part of an image that lands in `place`, which begins at `origin` in the picture."""
    x_scale, y_scale = image.shape[1] / layer.size[0], image.shape[0] / layer.size[1]
    x1, y1, x2, y2 = layer.part
    left, right = math.floor(x1 * x_scale + 1e-6), math.ceil(x2 * x_scale - 1e-6)
    top, bottom = math.floor(y1 * y_scale + 1e-6), math.ceil(y2 * y_scale - 1e-6)
    # OpenCV draws from the centre of the first pixel to one pixel beyond that of the last: with another one in front of
    # the first, what is drawn is half a pixel larger on all sides, so that layers that meet leave no gap. And warping
    # reads memory up and down, which goes faster where it has just been copied to.
    part = cv2.copyMakeBorder(image[top:bottom, left:right], 1, 0, 1, 0, cv2.BORDER_REPLICATE)
    # OpenCV's coordinates are those of centres: its 0 is 0.5 of ours, its 1 the first pixel behind the border.
    matrix = layer.matrix @ scaling(1 / x_scale, 1 / y_scale) @ shift(left - 0.5, top - 0.5)
    matrix = shift(-0.5 - origin[0], -0.5 - origin[1]) @ matrix
    size = place.shape[1::-1]
    cv2.warpAffine(part, matrix[:2], size, place, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
