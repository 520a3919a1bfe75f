"""Tell how much of an epoch the training waited for images."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, List, Mapping, NamedTuple

from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor import dist
from executor.training.workers import Loading

logger = logging.getLogger(__name__)

_MOST_WAITING = 0.2  # of an epoch's time, beyond which it is worth a warning


class Speed(NamedTuple):
    """Of the training in one epoch."""

    images: float  # a second, of all ranks
    waiting: float  # share of the time that images were waited for


class WaitingHook(Hook):
    """Knows after every epoch its speed and its share of waiting, and tells now and then what would help.

    What the loader takes for the next batch is waiting: on a GPU, too, since `ProgressHook` ends an iteration only when
    its loss is known. Time between epochs, for validation and saving, is not counted. The first batch of an epoch is
    waited for in any case, since no worker begins before the epoch does: it is told, and no reason to warn.
    """

    priority = 'LOWEST'  # so that an iteration has ended for all others

    def __init__(self, loading: Loading, clock: Callable[[], float] = time.monotonic) -> None:
        self._loading = loading
        self._clock = clock
        self._began = self._ended = 0.0  # the epoch, the last iteration
        self._waits: List[float] = []  # seconds before each iteration of the epoch
        self._images = 0
        self._warn_from = 1  # an epoch
        self.speed = Speed(0.0, 0.0)  # of the last epoch, on rank 0

    def before_train_epoch(self, runner: Runner) -> None:
        self._waits, self._images = [], 0
        self._began = self._ended = self._clock()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        self._waits.append(self._clock() - self._ended)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Mapping[str, Any], outputs: object = None
    ) -> None:
        self._images += len(data_batch['inputs'])
        self._ended = self._clock()

    def after_train_epoch(self, runner: Runner) -> None:
        told = dist.gather((self._images, self._waits))
        if runner.rank != 0:
            return
        # The ranks go step by step together, so all wait for the slowest.
        first, *others = map(max, zip(*(waits for _, waits in told)))
        seconds = max(1e-9, self._ended - self._began)
        waiting, epoch = min(1.0, (first + sum(others)) / seconds), runner.epoch + 1
        self.speed = Speed(sum(images for images, _ in told) / seconds, waiting)
        runner.visualizer.add_scalar('waiting', waiting, epoch)
        self._warn(epoch, sum(others) / max(1e-9, seconds - first))

    def _warn(self, epoch: int, waiting: float) -> None:
        """Tell what would help, in epochs ever further apart; nothing where the training waits little."""
        advice = self._loading.advice(waiting) if waiting > _MOST_WAITING and epoch >= self._warn_from else None
        if advice:
            logger.warning('images come too slowly: %s', advice)
            self._warn_from = 2 * epoch
