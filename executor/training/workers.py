"""Give the loaders of a training their workers: as many as asked for, as the cores take and /dev/shm has room for."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

from mmengine.config import Config

from executor.config.allowed import LOADERS
from executor.config.our_data import outer_pipeline
from executor.config.plain import ConfigDict
from executor.contract.params import TrainParams
from executor.machine import fork_server
from executor.machine.cores import share_of_cores
from executor.machine.shared_memory import free_shared_memory, shared_memory_for, workers_that_fit

logger = logging.getLogger(__name__)


def choose_workers(config: Config, wanted: int, ranks: int, use_gpu: bool) -> None:
    """Ask for the workers that the user wants; of the default no more than there are cores."""
    cores = share_of_cores(ranks)
    if wanted == TrainParams.workers_per_gpu and cores < wanted:
        logger.info('workers_per_gpu: %d instead of the default %d, as many as there are cores', cores, wanted)
        wanted = cores
    for name in LOADERS:
        # Only from pinned memory does a copy go on beside what the GPU computes.
        config[name].update(num_workers=wanted, pin_memory=use_gpu)


def set_workers(config: Config, ranks: int, use_gpu: bool) -> None:
    """Leave each loader no more workers than fit."""
    free = free_shared_memory(ranks, use_gpu)
    for name in LOADERS:
        loader = config[name]
        if loader is None:
            continue
        wanted = loader['num_workers']
        batch = _batch_bytes(loader)
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


def come_from_server(config: Config) -> bool:
    """Say whether a training has loading processes that the fork server starts."""
    processes = config['env_cfg'].get('mp_cfg') or {}
    if processes.get('mp_start_method') != fork_server.METHOD:
        return False
    return any(config[name] is not None and config[name]['num_workers'] > 0 for name in LOADERS)


@dataclass(frozen=True)
class Loading:
    """What a rank loads its training images with."""

    workers: int
    cores: int
    batch_bytes: int
    free_bytes: int  # of /dev/shm, for a rank, before its workers start
    ranks: int
    use_gpu: bool

    @classmethod
    def of(cls, config: Config, ranks: int, use_gpu: bool) -> Loading:
        """Look at a config whose workers are set."""
        loader, free = config['train_dataloader'], free_shared_memory(ranks, use_gpu)
        return cls(loader['num_workers'], share_of_cores(ranks), _batch_bytes(loader), free, ranks, use_gpu)

    def advice(self, waiting: float) -> Optional[str]:
        """Say what would help a training that waits this share of its time, up to 1; None where nothing is known to."""
        # Its workers load without a pause, yet only for the rest of the time is there something to train on.
        busy = max(1e-3, 1 - waiting)
        enough = min(math.ceil(max(self.workers, waiting) / busy), self.cores)
        each = ' a GPU' if self.use_gpu else ''
        if enough <= self.workers:
            # A CPU without a GPU trains on the same cores: it does not idle when it waits.
            return f'all {self.cores} cores{each} load them: give the container more cores' if self.use_gpu else None
        more = f'set workers_per_gpu to {enough} (used: {self.workers}, cores{each}: {self.cores})'
        if workers_that_fit(enough, self.batch_bytes, self.free_bytes)[0] == enough:
            return more
        size = math.ceil(shared_memory_for(enough, self.batch_bytes, self.ranks, self.use_gpu) / 2**30)
        return f'/dev/shm has no room for more workers: raise shm_size (docker run --shm-size) to {size}G and {more}'


def _batch_bytes(loader: ConfigDict) -> int:
    """Bound the bytes of a batch, which a worker writes to /dev/shm."""
    return image_bytes(outer_pipeline(loader['dataset'])) * int(loader['batch_size'])


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
