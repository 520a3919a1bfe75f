"""Show a training in TensorBoard while it goes on: what it is set to, what its validations find, how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional

import numpy as np
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor.contract.params import TrainParams
from executor.report.board import Setting
from executor.report.training_board import show_settings, show_validation
from executor.training.board_backend import board_of
from executor.training.metric import validation_of
from executor.training.model_report import settings_of
from executor.training.network_input import find_resize
from executor.training.stage_state import TrainedStage
from executor.training.stage_store import StageStore

_MOST_SHOWN = 10  # validations: TensorBoard shows so many pictures of a name
_METRICS = ('best/AP50', 'best/AP', 'best/mAR')


class BoardHook(Hook):
    """Shows it on rank 0."""

    priority = 'LOWEST'  # when StageHook knows which stage is best, and has removed what an earlier run left

    def __init__(self, store: StageStore, params: TrainParams, config: Config, began_with: str) -> None:
        self._store = store
        self._params = params
        self._config = config
        self._began_with = began_with

    def before_train(self, runner: Runner) -> None:
        if runner.rank == 0:
            with board_of(runner) as board:
                board.hparams(self._hparams(runner), _METRICS)
                show_settings(board, settings_of(runner, self._params, self._began_with))

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        if runner.rank != 0:
            return
        with board_of(runner) as board:
            for name, value in _measured(self._store.best).items():
                board.scalar(name, value, runner.epoch)
            if is_shown(runner.epoch, runner.max_epochs, self._config['train_cfg']['val_interval']):
                found = validation_of(runner)
                show_validation(board, runner.epoch, found.evaluation, found.samples, self._params.class_names)

    def _hparams(self, runner: Runner) -> Mapping[str, Setting]:
        """Return what trainings are compared by: always these names, and always of these types."""
        params, resize = self._params, find_resize(self._config)
        return {
            'config_file': Path(params.config_file).name,
            'batch': float(runner.train_dataloader.batch_size * runner.world_size),
            'freeze': params.freeze,
            'input_size': 'several' if resize is None else '{}x{}'.format(*resize.scale),
            'learning_rate': float(runner.optim_wrapper.optimizer.defaults['lr']),
            'max_epochs': float(runner.max_epochs),
            'mosaic': params.mosaic,
            'seed': float(runner.seed),
            'training_images': float(len(runner.train_dataloader.dataset)),
            'weights': Path(self._began_with).name,
        }


def is_shown(epoch: int, max_epochs: int, interval: int) -> bool:
    """Choose evenly which validations are shown by pictures and curves: at most ten, and the last."""
    every = interval * -(-max_epochs // (interval * (_MOST_SHOWN - 1)))
    return epoch % every == 0 or epoch == max_epochs


def _measured(best: TrainedStage) -> Dict[str, float]:
    aps = [one.ap for one in best.classes if one.true_boxes]
    return dict(zip(_METRICS, (best.stage.mAP, float(np.mean(aps)) if aps else 0.0, best.stage.mAR)))
