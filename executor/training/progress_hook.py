"""Tell a training's progress: to the platform as a fraction, to the log as a line now and then in a long epoch."""

from __future__ import annotations

import logging
import math
import time
from typing import Dict, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor.contract.errors import ExecutorError, NonFiniteLossError
from executor.contract.progress import ProgressPart
from executor.log import duration

logger = logging.getLogger(__name__)

Outputs = Dict[str, torch.Tensor]  # of a training step: losses, and what else the model tells

_LOG_SECONDS = 30.0


class ProgressHook(Hook):
    """Tells rank 0's progress, and stops every rank whose loss is no number any more."""

    priority = 'LOW'

    def __init__(self, progress: ProgressPart, batch_size: int) -> None:
        self._progress = progress
        self._batch_size = batch_size  # images of all ranks in one iteration
        self._logged_at = 0.0
        self._seen = 0  # iterations since the last line
        self._started_at = 0.0
        self._first_iteration = 0

    def before_train(self, runner: Runner) -> None:
        self._started_at = self._logged_at = time.monotonic()
        self._first_iteration = runner.iter

    def before_train_epoch(self, runner: Runner) -> None:
        self._logged_at, self._seen = time.monotonic(), 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: Optional[Outputs] = None
    ) -> None:
        outputs = outputs or {}
        losses = {name: float(value) for name, value in outputs.items() if name.startswith('loss')}
        if not all(map(math.isfinite, losses.values())):
            raise _not_finite(runner, ', '.join(f'{name} {value:g}' for name, value in losses.items()))
        if runner.rank != 0:
            return
        self._progress.update((runner.iter + 1) / runner.max_iters)
        self._seen += 1
        now = time.monotonic()
        if now - self._logged_at >= _LOG_SECONDS:
            self._log(runner, batch_idx, losses.get('loss', math.nan), now)
            self._logged_at, self._seen = now, 0

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None) -> None:
        now = time.monotonic()
        if runner.rank == 0 and now - self._logged_at >= _LOG_SECONDS:
            logger.info('validation: batch %d of %d', batch_idx + 1, len(runner.val_dataloader))
            self._logged_at = now

    def _log(self, runner: Runner, batch_idx: int, loss: float, now: float) -> None:
        rate = self._seen * self._batch_size / max(1e-9, now - self._logged_at)
        trained = runner.iter + 1 - self._first_iteration
        left = (now - self._started_at) / trained * (runner.max_iters - runner.iter - 1)
        logger.info(
            'epoch %d of %d, iteration %d of %d: loss %.4f, learning rate %.3g, %.1f images/s, %s left',
            *(runner.epoch + 1, runner.max_epochs, batch_idx + 1, len(runner.train_dataloader), loss),
            *(_learning_rate(runner), rate, duration(left)),
        )


def raise_as_not_finite(runner: Runner, error: Exception) -> None:
    """Explain a failure in the middle of an iteration by numbers that are not finite, where the model holds some.

    Some losses check that they get finite numbers, and so fail before we can look at them.

    Raises:
        NonFiniteLossError: after the first iteration, if the model holds numbers that are not finite.
    """
    if isinstance(error, ExecutorError) or runner.iter == 0:
        return
    values = (value for value in runner.model.state_dict().values() if value.is_floating_point())
    if not all(torch.isfinite(value).all() for value in values):
        raise _not_finite(runner, f'the model holds numbers that are not finite; {type(error).__name__}') from error


def _not_finite(runner: Runner, found: str) -> NonFiniteLossError:
    rate = _learning_rate(runner)
    return NonFiniteLossError(
        f'the loss is not finite any more in iteration {runner.iter + 1}, in epoch {runner.epoch + 1} ({found}; '
        f'learning rate {rate:g}): set a lower one, such as cfg_options optim_wrapper.optimizer.lr={rate / 10:.2g}, '
        'and look at what else cfg_options changes; stages saved before stay valid'
    )


def _learning_rate(runner: Runner) -> float:
    """Return the learning rate of the first parameter group."""
    return next(iter(runner.optim_wrapper.get_lr().values()))[0]
