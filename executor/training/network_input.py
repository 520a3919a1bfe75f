"""Find the size that a config tests images at, which is how large its network comes to see them."""

from __future__ import annotations

from typing import Optional, Sequence

from mmengine.config import Config

from executor.config.our_data import outer_pipeline
from executor.config.plain import ConfigDict
from executor.images.prepare import Letterbox


def find_resize(config: Config) -> Optional[Letterbox]:
    """Return how the config resizes images to test; None where that is not one scale."""
    transforms: Sequence[ConfigDict] = outer_pipeline(config['test_dataloader']['dataset'])
    resize = next((one for one in transforms if isinstance(one.get('scale'), (list, tuple))), None)
    return None if resize is None else Letterbox(tuple(resize['scale']), resize.get('keep_ratio', False))
