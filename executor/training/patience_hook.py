"""End a training whose validations have stopped getting better."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Dict, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor.training.expect import entries, fraction, whole
from executor.weights.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

_AP_50 = 'coco/bbox_mAP_50'  # which mmengine tells all ranks, so that they end together
_KEY = 'ymir_best'  # in the state to resume from


class PatienceHook(Hook):
    """Remembers the first validation of the best AP50, also in the state to resume from, and ends the training.

    Args:
        patience: epochs to go on without a better AP50; None to the end.
    """

    priority = 'HIGHEST'  # before the state is saved, and before ResumeHook keeps of one what mmengine knows

    def __init__(self, patience: Optional[int]) -> None:
        self._patience = patience
        self._best: Optional[Dict[str, Any]] = None  # epoch and mAP

    def after_load_checkpoint(self, runner: Runner, checkpoint: Checkpoint) -> None:
        if _KEY in checkpoint:
            self._best = entries(checkpoint[_KEY], _KEY, {'epoch': partial(whole, least=1), 'mAP': fraction})

    def before_save_checkpoint(self, runner: Runner, checkpoint: Checkpoint) -> None:
        if self._best is not None:
            checkpoint[_KEY] = dict(self._best)

    def before_train(self, runner: Runner) -> None:
        self._decide(runner)

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        found = (metrics or {}).get(_AP_50)
        if found is None:
            return
        if self._best is None or found > self._best['mAP']:
            self._best = {'epoch': runner.epoch, 'mAP': float(found)}
        self._decide(runner)

    def _decide(self, runner: Runner) -> None:
        if self._best is None or self._patience is None:
            return
        runner.train_loop.stop_training = runner.epoch - self._best['epoch'] >= self._patience
        if runner.train_loop.stop_training and runner.epoch < runner.max_epochs:
            words = 'patience: AP50 has not been better than %.4f since epoch %d: ending after epoch %d of %d'
            logger.info(words, self._best['mAP'], self._best['epoch'], runner.epoch, runner.max_epochs)
