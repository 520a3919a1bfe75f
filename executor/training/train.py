"""Training: from a YMIR export to a model that the platform packs."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Dict, Optional, Sequence

from mmengine.config import Config
from mmengine.runner import Runner

from executor import dist
from executor.contract.env import Env
from executor.contract.errors import ModelError, ParameterError
from executor.contract.index import read_training_index
from executor.contract.options import RESUME_LATEST
from executor.contract.output.training_result import TrainingResult
from executor.contract.params import TrainParams
from executor.contract.progress import Progress
from executor.log import duration
from executor.models.families import register_parts
from executor.weights.checkpoint import read_checkpoint
from executor.training.build_config import build_config
from executor.config.blame import config_to_blame
from executor.training.data import work_dir
from executor.weights.choose import replace_downloads
from executor.training.pretrained import PretrainedHook, starting_weights
from executor.training.progress_hook import ProgressHook, raise_as_not_finite
from executor.config.patches import patch
from executor.training.stages import RESUME_FILE, StageHook, schedule_of
from executor.report.pictures import draw_grid, write_picture
from executor.report.table import class_table

logger = logging.getLogger(__name__)

_PICTURE_SECTION = 'evaluation'
_PICTURE_NAME = 'validation.jpg'
_PICTURE_SCORE = 0.3


def train(env: Env, params: TrainParams, progress: Progress) -> None:
    """Run one training on every rank; rank 0 leaves the models, result.yaml and tensorboard.

    Raises:
        ExecutorError: with the platform's code, see each room.
    """
    started = time.monotonic()
    train_images = len(read_training_index(env.input.training_index_file))
    register_parts()
    patch()
    config = build_config(env, params, train_images, dist.world_size())
    resume = _resume_file(env, params, config)
    if resume is None and dist.rank() == 0:
        _forget_curves(env)
    weights = None if resume else starting_weights(params, config)
    replace_downloads(config['model'], will_load=bool(resume or weights))
    result = TrainingResult(env)
    with config_to_blame(config, params.config_options):
        runner = _build_runner(config, resume)
    stages = StageHook(result, params, config)
    runner.register_hook(stages, priority=stages.priority)
    batch = config['train_dataloader']['batch_size'] * dist.world_size()
    hook = ProgressHook(progress.part(0.02, 0.98), batch)
    runner.register_hook(hook, priority=hook.priority)
    if weights is not None:
        runner.register_hook(PretrainedHook(weights))
    try:
        runner.train()
    except Exception as error:
        raise_as_not_finite(runner, error)
        if stages.stages:
            raise  # the config has trained before
        with config_to_blame(config, params.config_options):
            raise
    if dist.rank() == 0:
        _finish(env, params, result, stages, time.monotonic() - started)


def _resume_file(env: Env, params: TrainParams, config: Config) -> Optional[Path]:
    """The checked state to resume from, None without `--resume`."""
    wanted = params.args_options.resume
    if wanted is None:
        return None
    file = work_dir(env) / RESUME_FILE if wanted == RESUME_LATEST else Path(wanted)
    if wanted == RESUME_LATEST and not file.is_file():
        logger.warning('--resume: %s does not exist, so nothing was trained here before: starting anew', file)
        return None
    checkpoint = read_checkpoint(file)
    if 'optimizer' not in checkpoint:
        raise ModelError(
            f'args_options --resume {file}: the file holds weights only: resume from the {RESUME_FILE} of a training, '
            'or use the weights as pretrained model'
        )
    began, now = checkpoint.get('ymir_schedule', {}), schedule_of(config)
    changed = [f'{key} was {began[key]}, is {now[key]}' for key in now if key in began and began[key] != now[key]]
    if changed:
        raise ParameterError(
            'args_options',
            f'args_options --resume goes on with the schedule that {file} began with, but {"; ".join(changed)}: set it '
            'back, or start anew from the model as pretrained weights',
        )
    return file


def _forget_curves(env: Env) -> None:
    """Remove an earlier run's curves, which tensorboard would draw into those of this one."""
    for file in env.output.tensorboard_dir.glob('events.out.tfevents.*'):
        file.unlink()


def _build_runner(config: Config, resume: Optional[Path]) -> Runner:
    config['load_from'] = str(resume) if resume else None
    config['resume'] = resume is not None
    return Runner.from_cfg(config)


def _finish(env: Env, params: TrainParams, result: TrainingResult, stages: StageHook, seconds: float) -> None:
    best = stages.best
    attachments: Dict[str, Sequence[str]] = {}
    picture = result.attachments_dir(_PICTURE_SECTION) / _PICTURE_NAME
    if stages.samples:
        images = [(Path(path), sample) for path, sample in stages.samples]
        write_picture(picture, lambda: draw_grid(images, params.class_names, _PICTURE_SCORE))
    if picture.is_file():
        attachments[_PICTURE_SECTION] = [_PICTURE_NAME]
    stages.write_result(attachments)
    logger.info('trained in %s; stages kept: %s', duration(seconds), ', '.join(t.stage.name for t in stages.stages))
    logger.info('best stage %s: mAP (AP50) %.4f, mAR %.4f', best.stage.name, best.stage.mAP, best.stage.mAR)
    if best.classes:
        logger.info('per class, counted at IoU 0.5:\n%s', class_table(best.classes))
    logger.info('model: %s', ', '.join(str(result.stage_dir(best.stage.name) / file) for file in best.stage.files))
    logger.info('list: %s; curves: %s', env.output.training_result_file, env.output.tensorboard_dir)
    if attachments:
        logger.info('pictures of validation images: %s', picture)
