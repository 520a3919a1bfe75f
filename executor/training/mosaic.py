"""Train without mosaic, and what goes with it, from the first epoch on: as the closing epochs do."""

from __future__ import annotations

import copy
import logging
from typing import List, Sequence

from mmengine.config import Config

from executor.config.our_data import outer_pipeline
from executor.config.plain import ConfigDict

logger = logging.getLogger(__name__)

_MOSAICS = ('Mosaic', 'CachedMosaic')
_WITH_MOSAIC = (*_MOSAICS, 'RandomAffine', 'MixUp', 'CachedMixUp')
_ENDS = ('FilterAnnotations', 'PackDetInputs')


def leave_out_mosaic(config: Config) -> None:
    """Take mosaic, affine and mixup out of the training pipeline; the image is resized instead.

    A config that switches to another pipeline at its end, as RTMDet's do, uses that one from the beginning.
    """
    pipeline: List[ConfigDict] = outer_pipeline(config['train_dataloader']['dataset'])
    mosaic = next((transform for transform in pipeline if transform['type'] in _MOSAICS), None)
    if mosaic is None:
        logger.info('mosaic: off changes nothing, since config_file trains without mosaic')
        return
    switched = [hook['switch_pipeline'] for hook in config.get('custom_hooks') or [] if 'switch_pipeline' in hook]
    pipeline[:] = copy.deepcopy(switched[0]) if switched else _without_mosaic(pipeline, mosaic)
    logger.info('mosaic: off, the training pipeline is %s', ', '.join(transform['type'] for transform in pipeline))


def _without_mosaic(pipeline: Sequence[ConfigDict], mosaic: ConfigDict) -> Sequence[ConfigDict]:
    kept = [transform for transform in pipeline if transform['type'] not in _WITH_MOSAIC]
    if any('Resize' in transform['type'] for transform in kept):
        return kept
    size, grey = mosaic.get('img_scale', (640, 640)), mosaic.get('pad_val', 114.0)  # mmdet's own
    resized = [
        {'type': 'Resize', 'scale': size, 'keep_ratio': True},
        {'type': 'Pad', 'size': size, 'pad_val': {'img': (grey, grey, grey)}},
    ]
    end = next((place for place, transform in enumerate(kept) if transform['type'] in _ENDS), len(kept))
    return [*kept[:end], *resized, *kept[end:]]
