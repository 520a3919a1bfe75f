"""Save a stage after every validation, and the state to resume from."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from executor.contract.output.files import remove_file
from executor.contract.params import TrainParams
from executor.evaluation.coco import NOTHING_MEASURED, Evaluation, ImageResult
from executor.training.metric import DetectionMetric
from executor.training.resume import RESUME_FILE, save_resume_state, schedule_of
from executor.training.stage_files import StageContent, Writer, write_stage_config, write_stage_weights
from executor.training.stage_store import StageStore, TrainedStage

logger = logging.getLogger(__name__)

WRITERS: Sequence[Writer] = (write_stage_weights, write_stage_config)  # in the order of their files in result.yaml


class StageHook(Hook):
    """Gives the store a stage after every validation. Works on rank 0 alone.

    What an earlier run left in the same folder is forgotten when this one, not resumed, is about to train: its data and
    weights are checked by then. `samples` are a few validation images as the best stage saw them, for pictures.
    """

    priority = 'VERY_LOW'  # after EMAHook has given the training weights back

    def __init__(self, store: StageStore, params: TrainParams, config: Config) -> None:
        self._store = store
        self._params = params
        self._config = config
        self._work_dir = Path(config['work_dir'])
        self.samples: Sequence[Tuple[str, ImageResult]] = ()  # (image path, result)

    def before_train(self, runner: Runner) -> None:
        if runner.rank == 0 and runner.epoch == 0:
            remove_file(self._work_dir / RESUME_FILE)
            self._store.result.clear()

    def after_train_epoch(self, runner: Runner) -> None:
        epoch = runner.epoch + 1  # mmengine counts on only after this
        # The end of the last epoch is after_train's.
        due = epoch % self._config['train_cfg']['val_interval'] == 0 and epoch < runner.max_epochs
        if runner.rank == 0 and runner.val_loop is None and due:
            self._save(runner, epoch, NOTHING_MEASURED)

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        if runner.rank != 0:
            return
        metric = next(m for m in runner.val_evaluator.metrics if isinstance(m, DetectionMetric))
        new = self._save(runner, runner.epoch, metric.evaluation)
        if self._store.best is new:
            self.samples = metric.samples

    def after_train(self, runner: Runner) -> None:
        if runner.rank == 0 and runner.epoch not in [trained.stage.epoch for trained in self._store.stages]:
            logger.warning('the last model was not validated, its mAP is given as 0')
            self._save(runner, runner.epoch, NOTHING_MEASURED)

    def before_save_checkpoint(self, runner: Runner, checkpoint: Dict[str, Any]) -> None:
        # mmengine's message hub holds objects; without them the file can be read as plain data.
        checkpoint['message_hub'] = {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}}
        checkpoint['ymir_stages'] = self._store.state()
        checkpoint['ymir_schedule'] = schedule_of(self._config)

    def after_load_checkpoint(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        self._store.restore(checkpoint.get('ymir_stages', []))

    def _save(self, runner: Runner, epoch: int, evaluation: Evaluation) -> TrainedStage:
        content = StageContent(
            name=f'epoch_{epoch}',
            epoch=epoch,
            mAP=evaluation.mAP_50,
            parameters=_deployed_parameters(runner),
            class_names=self._params.class_names,
            config=self._config,
            config_name=Path(self._params.config_file).name,
        )
        folder = self._store.result.stage_dir(content.name)
        written = tuple(write(folder, content) for write in WRITERS)
        new = self._store.add(content.name, epoch, evaluation, written)
        save_resume_state(runner, epoch, self._work_dir)
        best = self._store.best.stage
        logger.info(
            'epoch %d: mAP (AP50) %.4f, AP %.4f, mAR %.4f; best %s with %.4f',
            *(epoch, evaluation.mAP_50, evaluation.mAP, evaluation.mAR, best.name, best.mAP),
        )
        return new


def _deployed_parameters(runner: Runner) -> Mapping[str, torch.Tensor]:
    """Return what inference should use: the averaged weights where the config averages them."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            return hook.ema_model.module.state_dict()
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.state_dict()
