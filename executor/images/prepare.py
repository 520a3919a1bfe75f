"""A decoded image made into what the network gets, as the config's test pipeline says.

Runs in the loading processes, so nothing here needs the model. Most pipelines only resize and pad: `Letterbox` does
both at once, pixel by pixel what mmdet does. Any other runs as mmdet's own transforms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

Size = Tuple[int, int]  # (width, height) in pixels

# They read the image and the true boxes, or pack the result: neither is this room's business.
_ENDS = ('LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs')


class Prepared(NamedTuple):
    """One image as the network gets it.

    Attributes:
        pixels: (H, W, 3) BGR, uint8 (float32 where a transform of mmdet's leaves that).
        size: (width, height) of the original image.
        scale: (x, y) network pixels per original pixel.
        meta: what else mmdet's transforms say of the image, under their names; empty after `Letterbox`.
    """

    pixels: np.ndarray
    size: Size
    scale: Tuple[float, float]
    meta: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Letterbox:
    """Resize, bilinear, then pad to the right and below, as mmdet's `Resize` and `Pad`.

    Attributes:
        scale: (width, height) to fit into, or to stretch to where `keep_ratio` is false.
        pad_to_square: pad the shorter side to the longer one.
        pad_size: (width, height) to pad to.
        pad_divisor: pad each side to a multiple of this.
        pad_value: (B, G, R) of the padding.
    """

    scale: Size
    keep_ratio: bool
    pad_to_square: bool = False
    pad_size: Optional[Size] = None
    pad_divisor: int = 1
    pad_value: Tuple[float, ...] = (0.0, 0.0, 0.0)

    def resized(self, size: Size) -> Size:
        """(width, height) of the image itself inside the network's input."""
        if not self.keep_ratio:
            return self.scale
        ratio = min(max(self.scale) / max(size), min(self.scale) / min(size))
        # Of an image thinner than the ratio allows mmdet would leave nothing; a pixel stays.
        width, height = (max(1, int(side * ratio + 0.5)) for side in size)
        return width, height

    def padded(self, resized: Size) -> Size:
        """(width, height) of the network's input."""
        width, height = resized
        if self.pad_to_square:
            width = height = max(width, height)
        if self.pad_size is not None:
            width, height = max(width, self.pad_size[0]), max(height, self.pad_size[1])
        return tuple(math.ceil(side / self.pad_divisor) * self.pad_divisor for side in (width, height))

    @property
    def largest(self) -> int:
        """Bytes of the largest input that any image can become."""
        long, short = max(self.scale), min(self.scale)
        sides = [self.padded(side) for side in ((long, short), (short, long), self.scale)]
        return max(width * height for width, height in sides) * 3

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        """Prepare (H, W, 3) uint8 BGR; into the flat uint8 buffer `out`, of at least `largest` bytes, if any."""
        height, width = image.shape[:2]
        new_width, new_height = self.resized((width, height))
        full_width, full_height = self.padded((new_width, new_height))
        buffer = np.empty(full_width * full_height * 3, np.uint8) if out is None else out
        pixels = buffer[: full_width * full_height * 3].reshape(full_height, full_width, 3)
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


class Transforms:
    """mmdet's own transforms, for pipelines that do more than resizing and padding."""

    largest = 0  # not known before an image is there

    def __init__(self, pipeline: Sequence[Mapping[str, Any]], floats: bool) -> None:
        """`floats`: whether the first transform gets float32, as where the config's loading has `to_float32`."""
        self._pipeline = pipeline
        self._floats = floats
        self._run: Any = None

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, '_run': None}

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        """Prepare (H, W, 3) uint8 BGR; `out` is not used."""
        if self._run is None:
            from mmcv.transforms import Compose
            from mmdet.registry import TRANSFORMS

            self._run = Compose([TRANSFORMS.build(dict(transform)) for transform in self._pipeline])
        height, width = image.shape[:2]
        image = image.astype(np.float32) if self._floats else image
        results = {'img': image, 'img_shape': (height, width), 'ori_shape': (height, width), 'img_id': 0}
        results = self._run(results)
        meta = {
            key: value
            for key, value in results.items()
            if key not in ('img', 'img_path') and isinstance(value, (int, float, str, bool, tuple, list, np.ndarray))
        }
        return Prepared(results['img'], (width, height), tuple(results.get('scale_factor', (1.0, 1.0)))[:2], meta)


class SizeOnly:
    """Nothing but the size, where no network will see the image."""

    largest = 0

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        return Prepared(np.zeros((0, 0, 3), np.uint8), (image.shape[1], image.shape[0]), (1.0, 1.0))


def preparation(pipeline: Sequence[Mapping[str, Any]]) -> Any:
    """`Letterbox` where the pipeline of a config is no more than that, else `Transforms`."""
    middle = [dict(transform) for transform in pipeline if transform['type'] not in _ENDS]
    floats = any(transform.get('to_float32') for transform in pipeline if transform['type'] == 'LoadImageFromFile')
    return (None if floats else _letterbox(middle)) or Transforms(middle, floats)


def _letterbox(transforms: Sequence[Dict[str, Any]]) -> Optional[Letterbox]:
    transforms = [dict(transform) for transform in transforms]
    kinds = [transform.pop('type') for transform in transforms]
    if kinds not in (['Resize'], ['Resize', 'Pad']):
        return None
    resize, pad = transforms[0], transforms[1] if len(transforms) > 1 else {}
    scale = resize.pop('scale', None)
    keep_ratio = resize.pop('keep_ratio', False)
    to_square, size, divisor = pad.pop('pad_to_square', False), pad.pop('size', None), pad.pop('size_divisor', None)
    value = pad.pop('pad_val', 0)
    value = value.get('img', 0) if isinstance(value, dict) else value
    if resize or pad or not isinstance(scale, (tuple, list)) or (size and divisor):
        return None
    if not isinstance(value, (int, tuple, list)):
        return None  # mmdet pads the first channel alone with it
    return Letterbox(
        scale=tuple(scale),
        keep_ratio=keep_ratio,
        pad_to_square=to_square,
        pad_size=tuple(size) if size else None,
        pad_divisor=divisor or 1,
        pad_value=tuple(value) if isinstance(value, (tuple, list)) else (value,) * 3,
    )
