"""Give the loaders of a training as many workers as /dev/shm has room for."""

from __future__ import annotations

import logging
from typing import Iterator, Sequence

from mmengine.config import Config

from executor.machine.shared_memory import Workers, free_shared_memory, workers_that_fit
from executor.training.data import outer_pipeline
from executor.training.schedule import ConfigDict

logger = logging.getLogger(__name__)

_LARGEST_SIDE = 1333  # where a pipeline names no size: mmdet's usual upper bound


def set_workers(config: Config, ranks: int, use_gpu: bool) -> None:
    """Leave each loader no more workers than fit."""
    free = free_shared_memory(ranks, use_gpu)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = config[name]
        if loader is None:
            continue
        wanted = loader['num_workers']
        batch = image_bytes(outer_pipeline(loader['dataset'])) * loader['batch_size']
        workers = workers_that_fit(wanted, batch, free)
        loader.pop('prefetch_factor', None)
        loader.update(num_workers=workers.count, persistent_workers=workers.count > 0)
        if workers.prefetch is not None:
            loader['prefetch_factor'] = workers.prefetch
        if name == 'train_dataloader' and wanted > 0 and workers != Workers(wanted, 2):
            logger.warning(
                '/dev/shm has %d MB free for a rank, too little for %d workers with batches of %d MB: using %d%s; '
                'raise shm_size (docker run --shm-size) for full speed',
                *(free // 10**6, wanted, batch // 10**6, workers.count),
                ' with one batch each' if workers.count else '',
            )


def image_bytes(pipeline: Sequence[ConfigDict]) -> int:
    """Bound the bytes of one image of this pipeline when it reaches the model, by the sizes its transforms name."""
    sides = [size for transform in pipeline for size in _sizes(transform)]
    width, height = max(sides, key=lambda side: side[0] * side[1], default=(_LARGEST_SIDE, _LARGEST_SIDE))
    # This one leaves float32.
    floats = any(transform['type'] == 'PhotoMetricDistortion' for transform in pipeline)
    return int(width * height * 3 * (4 if floats else 1))


def _sizes(transform: ConfigDict) -> Iterator[Sequence[float]]:
    for key in ('img_scale', 'scale', 'scales', 'crop_size', 'size'):
        value = transform.get(key)
        for size in value if isinstance(value, (list, tuple)) and value and _is_pair(value[0]) else [value]:
            if size is not None and _is_pair(size):
                yield size


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value)
