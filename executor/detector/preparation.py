"""Choose how images are prepared, as the test pipeline of a config says.

Most pipelines only resize and pad, which `Letterbox` does; any other runs as mmdet's own transforms.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

import numpy as np

from executor.config.plain import ConfigDict
from executor.images.prepare import Letterbox, Preparation, Prepared
from executor.log import quiet

# They read the image and the true boxes, or pack the result: neither is this room's business.
_ENDS = ('LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs')


def preparation_of(pipeline: Sequence[ConfigDict]) -> Preparation:
    """Give `Letterbox` where the pipeline of a config is no more than that, else `Transforms`."""
    middle = [dict(transform) for transform in pipeline if transform['type'] not in _ENDS]
    floats = any(transform.get('to_float32') for transform in pipeline if transform['type'] == 'LoadImageFromFile')
    return (None if floats else _letterbox(middle)) or Transforms(middle, floats)


def _letterbox(transforms: Sequence[ConfigDict]) -> Optional[Letterbox]:
    transforms = [dict(transform) for transform in transforms]  # to take keys out
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


class Transforms:
    """mmdet's own transforms, for pipelines that do more than resizing and padding."""

    largest = 0  # not known before an image is there

    def __init__(self, pipeline: Sequence[ConfigDict], floats: bool) -> None:
        """`floats`: whether the first transform gets float32, as where the config's loading has `to_float32`."""
        self._pipeline = pipeline
        self._floats = floats
        self._run: Any = None

    def __getstate__(self) -> Dict[str, object]:
        return {**self.__dict__, '_run': None}

    def __call__(self, image: np.ndarray, out: Optional[np.ndarray] = None) -> Prepared:
        """Prepare (H, W, 3) uint8 BGR; `out` is not used."""
        if self._run is None:
            self._run = _composed(self._pipeline)
        height, width = shape = image.shape[:2]
        image = image.astype(np.float32) if self._floats else image
        results = self._run({'img': image, 'img_shape': shape, 'ori_shape': shape, 'img_id': 0})
        meta = {
            key: value
            for key, value in results.items()
            if key not in ('img', 'img_path') and isinstance(value, (int, float, str, bool, tuple, list, np.ndarray))
        }
        return Prepared(results['img'], (width, height), tuple(results.get('scale_factor', (1.0, 1.0)))[:2], meta)


def _composed(pipeline: Sequence[ConfigDict]) -> Any:
    """Build the transforms, in a loading process that has nothing of mmdet as yet."""
    with quiet():
        from mmcv.transforms import Compose
        from mmdet.registry import TRANSFORMS
        from mmengine.registry import init_default_scope

        from executor.config.patches import patch
    patch()
    init_default_scope('mmdet')  # where transforms that hold others look for these
    return Compose([TRANSFORMS.build(dict(transform)) for transform in pipeline])
