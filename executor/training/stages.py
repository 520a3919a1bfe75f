"""After every validation: the model's stage, result.yaml, and the state to resume from."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from mmengine import dist
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper

from executor.config.plain import config_text
from executor.contract.output.files import replace_file
from executor.contract.output.training_result import Stage, TrainingResult, best_stage
from executor.contract.output.writable import is_full
from executor.contract.params import TrainParams
from executor.evaluation.coco import ClassResult, Evaluation, ImageResult
from executor.training.metric import DetectionMetric
from executor.weights.write import save_weights

logger = logging.getLogger(__name__)

RESUME_FILE = 'resume.pth'
_NOTHING_MEASURED = Evaluation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, classes=())


@dataclass(frozen=True)
class TrainedStage:
    """A stage with its numbers per class."""

    stage: Stage
    classes: Tuple[ClassResult, ...]


class StageHook(Hook):
    """Saves a stage after every validation, rewrites result.yaml, and only then removes what it lists no longer.

    So a kill at any moment leaves a result.yaml whose files exist. Works on rank 0 alone.

    What an earlier run left in the same folder is forgotten when this one, not resumed, is about to train: its data and
    weights are checked by then.

    Attributes:
        stages: what is on disk, in the order of the epochs.
        samples: (image path, result) of a few validation images as the best stage saw them, for pictures.
    """

    priority = 'VERY_LOW'  # after EMAHook has given the training weights back

    def __init__(self, result: TrainingResult, params: TrainParams, config: Config) -> None:
        self._result = result
        self._params = params
        self._class_names = params.class_names
        self._config_name = Path(params.config_file).name
        self._config_text = config_text(config)
        self._schedule = schedule_of(config)
        self._val_interval = config['train_cfg']['val_interval']
        self._work_dir = Path(config['work_dir'])
        self.stages: List[TrainedStage] = []
        self.samples: Sequence[Tuple[str, ImageResult]] = ()

    @property
    def best(self) -> Optional[TrainedStage]:
        """The stage that result.yaml calls best; None before the first."""
        if not self.stages:
            return None
        best = best_stage([trained.stage for trained in self.stages])
        return next(trained for trained in self.stages if trained.stage is best)

    def before_train(self, runner: Any) -> None:
        if runner.rank == 0 and runner.epoch == 0:
            (self._work_dir / RESUME_FILE).unlink(missing_ok=True)
            self._result.clear()

    def after_train_epoch(self, runner: Any) -> None:
        # The end of the last epoch is after_train's.
        epoch = runner.epoch + 1  # mmengine counts on only after this
        due = epoch % self._val_interval == 0 and epoch < runner.max_epochs
        if runner.rank == 0 and runner.val_loop is None and due:
            self._save(runner, epoch, _NOTHING_MEASURED)

    def after_val_epoch(self, runner: Any, metrics: Optional[Dict[str, float]] = None) -> None:
        if runner.rank != 0:
            return
        metric = next(m for m in runner.val_evaluator.metrics if isinstance(m, DetectionMetric))
        new = self._save(runner, runner.epoch, metric.evaluation)
        if self.best is new:
            self.samples = metric.samples

    def after_train(self, runner: Any) -> None:
        last = f'epoch_{runner.epoch}'
        if runner.rank == 0 and last not in [trained.stage.name for trained in self.stages]:
            logger.warning('the last model was not validated, its mAP is given as 0')
            self._save(runner, runner.epoch, _NOTHING_MEASURED)

    def before_save_checkpoint(self, runner: Any, checkpoint: Dict[str, Any]) -> None:
        # mmengine's message hub holds objects; without them the file can be read as plain data.
        checkpoint['message_hub'] = {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}}
        checkpoint['ymir_stages'] = [dataclasses.asdict(trained) for trained in self.stages]
        checkpoint['ymir_schedule'] = self._schedule

    def after_load_checkpoint(self, runner: Any, checkpoint: Mapping[str, Any]) -> None:
        known = [_trained_stage(entry) for entry in checkpoint.get('ymir_stages', [])]
        self.stages = [trained for trained in known if self._on_disk(trained.stage)]

    def _save(self, runner: Any, epoch: int, evaluation: Evaluation) -> TrainedStage:
        name = f'epoch_{epoch}'
        folder = self._result.stage_dir(name)
        folder.mkdir(parents=True, exist_ok=True)
        meta = {
            'epoch': epoch,
            'mAP': evaluation.mAP_50,
            'dataset_meta': {'classes': tuple(self._class_names)},
            'config_file': self._config_name,
        }
        save_weights(folder / f'{name}.pth', _deployed_parameters(runner), meta)
        replace_file(folder / self._config_name, self._config_text)
        stage = Stage(
            name=name,
            epoch=epoch,
            files=self._listed((f'{name}.pth', self._config_name)),
            mAP=evaluation.mAP_50,
            mAR=evaluation.mAR,
            tp=evaluation.tp,
            fp=evaluation.fp,
            fn=evaluation.fn,
            timestamp=int(time.time()),
        )
        new = TrainedStage(stage, evaluation.classes)
        known = [trained for trained in self.stages if trained.stage.name != name] + [new]
        self.stages, dropped = split_kept(known, self._params.max_keep_checkpoints)
        self.write_result({})
        for trained in dropped:
            self._remove(trained.stage)
        _save_resume_state(runner, epoch, self._work_dir)
        logger.info(
            'epoch %d: mAP (AP50) %.4f, AP %.4f, mAR %.4f; best %s with %.4f',
            *(epoch, evaluation.mAP_50, evaluation.mAP, evaluation.mAR, self.best.stage.name, self.best.stage.mAP),
        )
        return new

    def write_result(self, attachments: Mapping[str, Sequence[str]]) -> None:
        """Rewrite result.yaml for the stages on disk."""
        self._result.write([trained.stage for trained in self.stages], attachments)

    def _listed(self, files: Tuple[str, ...]) -> Tuple[str, ...]:
        patterns = self._params.ymir_saved_file_patterns
        listed = tuple(file for file in files if not patterns or any(re.search(p, file) for p in patterns))
        if not listed:
            logger.warning('ymir_saved_file_patterns match none of %s: all are listed', ', '.join(files))
        return listed or files

    def _on_disk(self, stage: Stage) -> bool:
        return all((self._result.stage_dir(stage.name) / file).is_file() for file in stage.files)

    def _remove(self, stage: Stage) -> None:
        folder = self._result.stage_dir(stage.name)
        (folder / f'{stage.name}.pth').unlink(missing_ok=True)
        if folder.name == stage.name:  # in the older, flat layout other stages share the folder
            shutil.rmtree(folder)


def split_kept(stages: Sequence[TrainedStage], keep: int) -> Tuple[List[TrainedStage], List[TrainedStage]]:
    """(kept, dropped): the `keep` best and the `keep` latest stay, all of them where `keep` is 0 or less."""
    if keep <= 0:
        return list(stages), []
    best = sorted(stages, key=lambda trained: (trained.stage.mAP, trained.stage.epoch))[-keep:]
    latest = stages[-keep:]
    kept = [trained for trained in stages if trained in best or trained in latest]
    return kept, [trained for trained in stages if trained not in kept]


def _deployed_parameters(runner: Any) -> Mapping[str, Any]:
    """What inference should use: the averaged weights where the config averages them."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            return hook.ema_model.module.state_dict()
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.state_dict()


def schedule_of(config: Config) -> Dict[str, Any]:
    """What a resumed training must share with the one it goes on with, since its learning rate is a curve over both."""
    return {
        'max_epochs': config['train_cfg']['max_epochs'],
        'batch_size': config['train_dataloader']['batch_size'],
        'ranks': dist.get_world_size(),
    }


def _save_resume_state(runner: Any, epoch: int, work_dir: Path) -> None:
    """Everything `--resume` needs, in one file apart from the models; the one before stays until this one is whole."""
    work_dir.mkdir(parents=True, exist_ok=True)
    beside = work_dir / f'.{RESUME_FILE}'
    try:
        # The epoch is over, whether mmengine has counted it already or not.
        runner.save_checkpoint(str(work_dir), beside.name, meta={'epoch': epoch, 'iter': runner.iter})
        os.replace(beside, work_dir / RESUME_FILE)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if not is_full(error):
            raise
        # It is many times as large as a model, which is what the user wants: train on as long as those fit.
        logger.warning('%s is full: the state of epoch %d, to resume from, is not saved', work_dir, epoch)


def _trained_stage(entry: Mapping[str, Any]) -> TrainedStage:
    stage = dict(entry['stage'], files=tuple(entry['stage']['files']))
    return TrainedStage(Stage(**stage), tuple(ClassResult(**result) for result in entry['classes']))
