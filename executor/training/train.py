"""Train: from a YMIR export to a model that the platform packs."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Optional

from mmengine.runner import Runner

from executor import dist
from executor.config.blame import config_to_blame
from executor.config.patches import patch
from executor.contract.env import Env
from executor.contract.index import read_training_index
from executor.contract.output.training_result import TrainingResult
from executor.contract.params import Job, TrainParams
from executor.contract.progress import Progress
from executor.detector.model import LoadedModel
from executor.log import duration
from executor.machine import fork_server
from executor.machine.memory import keep_freed_memory
from executor.models.families import register_parts
from executor.report.pictures import draw_grid, write_picture
from executor.report.table import class_table
from executor.training.board_backend import board_of
from executor.training.board_hook import BoardHook
from executor.training.build_config import build_config
from executor.training.cache_hook import CacheHook
from executor.training.copy_ahead import CopyAheadHook
from executor.training.dataset_report import DatasetReportHook
from executor.training.epoch_hook import EpochHook
from executor.training.freeze import FreezeHook, FreezingRunner, check_frozen
from executor.training.history_hook import HistoryHook
from executor.training.loading import LoadingHook
from executor.training.model_report import write_page
from executor.training.patience_hook import PatienceHook
from executor.training.pretrained import PretrainedHook, from_scratch, starting_weights
from executor.training.progress_hook import ProgressHook, raise_as_not_finite
from executor.training.resume import ResumeHook, find_resumed
from executor.training.stage_hook import StageHook
from executor.training.stage_onnx import export_best, load_best
from executor.training.stage_store import StageStore
from executor.training.waiting_hook import WaitingHook
from executor.training.workers import Loading, come_from_server
from executor.weights.choose import replace_downloads

logger = logging.getLogger(__name__)

_SECTION = 'evaluation'  # of the attachments
_ATTACHMENTS = ('validation.jpg', 'report.html', 'report.json')


def train(job: Job, progress: Progress) -> None:
    """Run one training on every rank; rank 0 leaves the models, result.yaml and tensorboard."""
    started = time.monotonic()
    env, params = job.env, job.training
    assert params is not None and env.input.training_index_file is not None, 'the inputs have been checked'
    train_images = len(read_training_index(env.input.training_index_file))
    use_gpu = bool(params.gpu_ids)
    keep_freed_memory()
    register_parts()
    patch()
    weights, resumed = starting_weights(params), find_resumed(env, params)
    fine_tunes = weights is not None if resumed is None else resumed.fine_tuned
    config = build_config(env, params, train_images, dist.world_size(), weights, dist.local_world_size(), fine_tunes)
    if come_from_server(config):
        fork_server.begin('executor.training.loading')
    if resumed is not None:
        resumed.check(params, config)
    resume = resumed and resumed.file
    if not (resume or weights):
        logger.warning(from_scratch(params.config_file))
    replace_downloads(config['model'], will_load=bool(resume or weights))
    check_frozen(config, params, has_weights=bool(resume or weights))
    store = StageStore(TrainingResult(env), params)
    config.update(load_from=str(resume) if resume else None, resume=resume is not None)
    with config_to_blame(config, params.config_options):
        runner = FreezingRunner.from_cfg(config)
    resumption, stages = ResumeHook(store, params, config, resume), StageHook(store, params, config)
    batch = config['train_dataloader']['batch_size'] * dist.world_size()
    runner.register_hook(resumption)
    runner.register_hook(stages)
    began_with = f'{resume}, resumed' if resume else str(weights or 'none: trained from scratch')
    runner.register_hook(BoardHook(store, params, config, began_with))
    runner.register_hook(DatasetReportHook(store, params.class_names, config))
    runner.register_hook(PatienceHook(params.patience))
    runner.register_hook(ProgressHook(progress.part(0.02, 0.98), batch))
    runner.register_hook(HistoryHook(store.history))
    waiting = WaitingHook(Loading.of(config, dist.local_world_size(), use_gpu))
    runner.register_hook(waiting)
    runner.register_hook(EpochHook(store.history, waiting, store, use_gpu))
    runner.register_hook(LoadingHook())
    if use_gpu:
        runner.register_hook(CopyAheadHook())
    if params.cache_images != 'off':
        runner.register_hook(CacheHook(encoded=params.cache_images == 'encoded'))
    if weights is not None and resume is None:
        runner.register_hook(PretrainedHook(weights))
    if params.freeze != TrainParams.freeze:
        runner.register_hook(FreezeHook(params.freeze))
    try:
        runner.train()
    except Exception as error:
        stages.raise_as_of_validation(runner, error)
        raise_as_not_finite(runner, error)
        resumption.raise_as_unfit(error)
        if store.stages:
            raise  # the config has trained before
        with config_to_blame(config, params.config_options):
            raise
    if dist.rank() == 0:
        trained = load_best(store, params)
        if trained is not None:
            export_best(store, params, stages.best, trained)
        _attach(store, stages, runner, params, began_with, trained)
        _sum_up(env, store, time.monotonic() - started)


def _attach(
    store: StageStore,
    stages: StageHook,
    runner: Runner,
    params: TrainParams,
    began_with: str,
    trained: Optional[LoadedModel],
) -> None:
    """Draw what the best stage saw, write its page, and list both."""
    files = [store.result.attachments_dir(_SECTION) / name for name in _ATTACHMENTS]
    store.result.made.add(files)
    if stages.best is not None:
        picture, page, numbers = files
        images = [(Path(path), result) for path, result in stages.best.samples]
        if write_picture(picture, lambda: draw_grid(images, params.class_names, score_threshold=0.3)):
            logger.info('pictures of validation images: %s', picture)
        stage = store.best.stage
        write_page(page, numbers, stage, stages.best, store.history, runner, params, began_with, trained)
    with board_of(runner) as board:
        board.success()
    # Where a resumed training found no better stage, the best one and what is written of it are of the one before.
    store.attach(_SECTION, files)
    store.write_result()


def _sum_up(env: Env, store: StageStore, seconds: float) -> None:
    best, classes = store.best.stage, store.best.classes
    files = [str(store.result.stage_dir(best.name) / file) for file in best.files]
    logger.info('trained in %s; stages kept: %s', duration(seconds), ', '.join(t.stage.name for t in store.stages))
    logger.info('best stage %s: mAP (AP50) %.4f, mAR %.4f', best.name, best.mAP, best.mAR)
    if classes:
        at = classes[0].at_best
        best_at = f' of boxes scored {at.threshold:.3f} and above, the conf_threshold of highest F1' if at else ''
        words = 'per class, precision, recall and F1 at IoU 0.5%s:\n%s'
        logger.info(words, best_at, class_table(classes))
    logger.info('model: %s', ', '.join(files))
    logger.info('list: %s; curves: %s', env.output.training_result_file, env.output.tensorboard_dir)
