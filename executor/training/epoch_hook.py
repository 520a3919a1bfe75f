"""Tell in one line of the log what an epoch came to."""

from __future__ import annotations

import logging
import time
from typing import Mapping, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor.log import duration
from executor.machine.memory import peak_memory
from executor.training.history_hook import History
from executor.training.stage_store import StageStore
from executor.training.waiting_hook import WaitingHook

logger = logging.getLogger(__name__)


class EpochHook(Hook):
    """Writes the line on rank 0: after the validation of an epoch, where it has one."""

    priority = 'LOWEST'  # when all others know what they know

    def __init__(self, history: History, waiting: WaitingHook, store: StageStore, use_gpu: bool) -> None:
        self._history = history
        self._waiting = waiting  # registered before
        self._store = store
        self._use_gpu = use_gpu
        self._trained = 0  # the epoch whose line is still to come; none is 0
        self._started_at = 0.0
        self._first_iteration = 0

    def before_train(self, runner: Runner) -> None:
        self._started_at, self._first_iteration = time.monotonic(), runner.iter

    def before_train_epoch(self, runner: Runner) -> None:
        self._tell(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        self._trained = runner.epoch + 1  # mmengine counts on only after this

    def after_val_epoch(self, runner: Runner, metrics: Optional[Mapping[str, float]] = None) -> None:
        self._tell(runner, validated=True)

    def after_train(self, runner: Runner) -> None:
        self._tell(runner)

    def _tell(self, runner: Runner, validated: bool = False) -> None:
        epoch, self._trained = self._trained, 0
        if runner.rank != 0 or not (epoch or validated):
            return
        row = self._history.get(epoch or runner.epoch, {})
        found = ''
        if validated:
            best = self._store.best.stage
            found = f'AP50 {row["AP_50"]:.4f}, AP {row["AP"]:.4f}, best {best.name} with {best.mAP:.4f}'
        if not epoch:
            logger.info('epoch %d, validated again: %s', runner.epoch, found)
            return
        speed, memory = self._waiting.speed, peak_memory(self._use_gpu) / 1e9
        left = (time.monotonic() - self._started_at) / (runner.iter - self._first_iteration)
        parts = [
            f'loss {_losses(row)}, learning rate {row.get("lr", 0):.3g}',
            f'{speed.images:.1f} images/s, waited for images {100 * speed.waiting:.0f} % of the time',
            f'{memory:.1f} GB of {"GPU " if self._use_gpu else ""}memory',
            *([found] if found else []),
            f'{duration(left * (runner.max_iters - runner.iter))} left',
        ]
        logger.info('epoch %d of %d: %s', epoch, runner.max_epochs, '; '.join(parts))


def _losses(row: Mapping[str, float]) -> str:
    """Write the sum, and behind it what it is the sum of."""
    parts = [f'{name[len("loss_") :]} {value:.3f}' for name, value in row.items() if name.startswith('loss_')]
    return f'{row.get("loss", 0):.3f}' + (f' ({", ".join(parts)})' if len(parts) > 1 else '')
