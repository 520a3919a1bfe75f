"""Give the loaders of a training as many workers as /dev/shm has room for."""

from __future__ import annotations

import logging
from typing import Iterator, Sequence

from mmengine.config import Config

from executor.config.our_data import outer_pipeline
from executor.config.plain import ConfigDict
from executor.machine.shared_memory import free_shared_memory, workers_that_fit

logger = logging.getLogger(__name__)


def set_workers(config: Config, ranks: int, use_gpu: bool) -> None:
    """Leave each loader no more workers than fit."""
    free = free_shared_memory(ranks, use_gpu)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = config[name]
        if loader is None:
            continue
        wanted = loader['num_workers']
        batch = image_bytes(outer_pipeline(loader['dataset'])) * loader['batch_size']
        workers, ahead = workers_that_fit(wanted, batch, free)
        loader.pop('prefetch_factor', None)
        loader.update(num_workers=workers, persistent_workers=workers > 0)
        if workers:
            loader['prefetch_factor'] = ahead
        if name == 'train_dataloader' and wanted > 0 and (workers, ahead) != (wanted, 2):
            logger.warning(
                '/dev/shm has %d MB free for a rank, too little for %d workers with batches of %d MB: using %d%s; '
                'raise shm_size (docker run --shm-size) for full speed',
                *(free // 10**6, wanted, batch // 10**6, workers, ' with one batch each' if workers else ''),
            )


def image_bytes(pipeline: Sequence[ConfigDict]) -> int:
    """Bound the bytes of one image of this pipeline when it reaches the model, by the sizes its transforms name."""
    sides = [size for transform in pipeline for size in _sizes(transform)]
    usual = (1333, 1333)  # mmdet's upper bound, where a pipeline names no size
    width, height = max(sides, key=lambda side: side[0] * side[1], default=usual)
    float32 = any(transform['type'] == 'PhotoMetricDistortion' for transform in pipeline)
    return int(width * height * 3 * (4 if float32 else 1))


def _sizes(transform: ConfigDict) -> Iterator[Sequence[float]]:
    for key in ('img_scale', 'scale', 'scales', 'crop_size', 'size'):
        value = transform.get(key)
        if isinstance(value, (list, tuple)):
            yield from filter(_is_size, (value, *value))  # one size, or several to choose from


def _is_size(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value)
