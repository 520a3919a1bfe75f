"""Keep the images of a training in memory, shared by all ranks and loading processes of a machine."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor import dist
from executor.images.cache import ImageCache, room_for_images
from executor.training.augment.pictures import Pictures

logger = logging.getLogger(__name__)


class CacheHook(Hook):
    """Begins a cache before the loading processes do, and tells after an epoch what it holds, if that has changed."""

    def __init__(self, encoded: bool) -> None:
        self._encoded = encoded
        self._cache: Optional[ImageCache] = None
        self._first_iteration = self._images = 0
        self._told = -1  # images

    def before_train(self, runner: Runner) -> None:
        self._first_iteration = runner.iter
        pictures = _pictures_of(runner.train_dataloader.dataset)
        if pictures is None:
            return
        pictures.encoded = self._encoded
        begun, lengths = None, pictures.lengths()
        self._images = len(lengths)
        if dist.local_rank() == 0:
            room = room_for_images()
            with suppress(OSError):  # of a kernel or a container that knows no such files
                self._cache = ImageCache(lengths, room)
                begun = (self._cache.path, room)
        # Ranks are numbered machine by machine: the first of this one has begun the cache.
        begun = dist.gather(begun)[dist.rank() - dist.local_rank()]
        if begun is not None and self._cache is None:
            with suppress(OSError):
                self._cache = ImageCache(lengths, room=begun[1], file=begun[0])
        pictures.cache = self._cache
        if self._cache is not None:
            logger.info(
                'images are kept in memory as they are read: room for %d of %d (%.1f GB of %.1f GB)',
                *(self._cache.places, len(lengths), self._cache.bytes / 1e9, lengths.sum() / 1e9),
            )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        if self._cache is not None and runner.iter == self._first_iteration:
            self._cache.open()

    def after_train_epoch(self, runner: Runner) -> None:
        if self._cache is None or runner.rank != 0:
            return
        images, size = self._cache.held()
        if images != self._told:
            logger.info('kept in memory: %d of %d images, %.1f GB', images, self._images, size / 1e9)
            self._told = images


def _pictures_of(dataset: object) -> Optional[Pictures]:
    """Find what makes the pictures of a dataset, below its wrappers."""
    while dataset is not None:
        pictures = getattr(dataset, 'pictures', None)
        if pictures is not None:
            return pictures
        dataset = getattr(dataset, 'dataset', None)
    return None
