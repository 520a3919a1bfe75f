"""Make a task's parameters into the mmengine config of its training, step by step."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from executor.config.allowed import LOADERS
from executor.config.blame import config_to_blame
from executor.config.held import take_held_model
from executor.config.input_size import set_input_size
from executor.config.overrides import apply_options, chosen_number, set_classes, wrong_option
from executor.config.read import load_config
from executor.contract.env import Env
from executor.contract.errors import ParameterError
from executor.contract.params import TrainParams
from executor.machine import fork_server
from executor.training.anchors import fit_anchors
from executor.training.data import set_datasets
from executor.training.mosaic import leave_out_mosaic
from executor.training.resume import work_dir
from executor.training.schedule import (
    AS_PUBLISHED,
    describe_schedule,
    fine_tuning_of,
    keep_published_schedule,
    scale_learning_rate,
    scale_schedule,
)
from executor.training.workers import choose_workers, set_workers
from executor.weights.checkpoint import held_model, read_checkpoint

logger = logging.getLogger(__name__)


def build_config(
    env: Env,
    params: TrainParams,
    train_images: int,
    ranks: int,
    weights: Optional[Path] = None,
    ranks_here: Optional[int] = None,
    fine_tunes: bool = False,
) -> Config:
    """Resolve the config of a training on `train_images` images with `ranks` processes, which begins with `weights`.

    Of the ranks, `ranks_here` share this machine's cores and memory: all of them by default. With `fine_tunes` the
    schedule is the one for pretrained weights, where the config has such a one.

    The user's cfg_options have the last word; the schedule follows a changed `train_cfg.max_epochs` among them.

    Raises:
        ConfigError, ModelError: config_file or an option does not fit.
    """
    config = load_config(params.config_file, params.model_files)
    if weights is not None:
        take_held_model(config, held_model(read_checkpoint(weights), weights), weights)
    options, use_gpu = params.config_options, bool(params.gpu_ids)
    ranks_here = ranks_here or ranks
    with config_to_blame(config, options):
        set_input_size(config, params.input_size)
        keep_published_schedule(config)
        set_classes(config, params.class_names)
        config['work_dir'] = str(work_dir(env))
        set_datasets(config, env, params)
        if params.mosaic == 'off':
            leave_out_mosaic(config)
        choose_workers(config, params.workers_per_gpu, ranks_here, use_gpu)
        max_epochs = chosen_number(options, 'train_cfg.max_epochs', params.max_epochs)
        total_batch = chosen_number(options, 'train_dataloader.batch_size', params.samples_per_gpu) * ranks
        # The rest of the options comes last, but these say how the schedule is scaled.
        apply_options(config, {key: value for key, value in options.items() if key.partition('.')[0] == 'fine_tuning'})
        fine_tuning = fine_tuning_of(config) if fine_tunes else AS_PUBLISHED
        config['fine_tuned'] = fine_tuning != AS_PUBLISHED
        if config['fine_tuned']:
            logger.info('the schedule is that for pretrained weights: %s', fine_tuning.words())
        scale_schedule(config, max_epochs, math.ceil(train_images / total_batch), fine_tuning)
        scale_learning_rate(config, total_batch, params.learning_rate, fine_tuning)
        _set_run(config, env, params, max_epochs, ranks)
        apply_options(config, options)
        if params.anchors == 'auto' and env.input.training_index_file is not None:
            fit_anchors(config, params, env.input.training_index_file)
        _check_samplers(config)
        if params.args_options.no_validate:
            config['val_cfg'] = config['val_dataloader'] = config['val_evaluator'] = None
        set_workers(config, ranks_here, use_gpu)
        if ranks > 1:
            _set_wrapper(config, use_gpu)
        if params.args_options.auto_scale_lr and 'optim_wrapper.optimizer.lr' in options:
            _scale_chosen_learning_rate(config, total_batch)
        logger.info('schedule: %s', describe_schedule(config, total_batch))
    return config


def _check_samplers(config: Config) -> None:
    for name in LOADERS:
        if str(config[name]['sampler'].get('type')).rpartition('.')[2] == 'InfiniteSampler':
            raise wrong_option(f'{name}.sampler.type is InfiniteSampler, which never ends an epoch: use DefaultSampler')


def _set_wrapper(config: Config, use_gpu: bool) -> None:
    """Wrap the model for several ranks as mmengine does by itself, but for the CPU."""
    # Some detectors leave parameters out of a step, on which DDP would fail; one that does not may say so.
    unused = config.get('find_unused_parameters', True)
    wrapper = {'type': 'MMDistributedDataParallel', 'find_unused_parameters': unused, 'broadcast_buffers': False}
    devices = {} if use_gpu else {'device_ids': None}
    config['model_wrapper_cfg'] = {**wrapper, **devices, **config.get('model_wrapper_cfg', {})}


def _set_run(config: Config, env: Env, params: TrainParams, max_epochs: int, ranks: int) -> None:
    """Set loops, precision, randomness and folders; mmengine's own log and checkpoints give way to our hooks."""
    interval = max(1, params.val_interval)  # mmengine validates the last epoch, too, so every model is measured
    config['train_cfg'] = {'type': 'EpochBasedTrainLoop', 'max_epochs': max_epochs, 'val_interval': interval}
    config['val_cfg'] = {'type': 'ValLoop'}
    config['test_cfg'] = {'type': 'TestLoop'}
    arguments = params.args_options
    if params.gpu_ids and config['optim_wrapper'].get('type') == 'OptimWrapper':
        config['optim_wrapper']['type'] = 'AmpOptimWrapper'
    elif arguments.amp and not params.gpu_ids:
        logger.warning('--amp needs a GPU: training in full precision')
    # mmdet draws another seed each time; with a fixed one a task run again gives the same model, if the device allows.
    seed = 1 if arguments.seed is None else arguments.seed
    config['randomness'] = {'seed': seed, 'deterministic': arguments.deterministic}
    config['default_scope'] = 'mmdet'
    env_config = config.get('env_cfg') or {}
    processes = {**(env_config.get('mp_cfg') or {}), 'mp_start_method': fork_server.METHOD}
    config['env_cfg'] = {**env_config, 'mp_cfg': processes}
    config['freeze'] = params.freeze
    config['launcher'] = 'pytorch' if ranks > 1 else 'none'
    config['log_level'] = 'ERROR'  # what mmengine warns of is its own deprecations
    config['log_processor'] = {'type': 'LogProcessor'}  # by epoch, also where the config counts iterations
    config.update(load_from=None, resume=False)
    config['default_hooks'] = {'checkpoint': None, 'logger': {'type': 'LoggerHook', 'interval': 10}}  # iterations
    board = {'type': 'BoardBackend', 'save_dir': str(env.output.tensorboard_dir)}
    config['visualizer'] = {'type': 'Visualizer', 'vis_backends': [board]}


def _scale_chosen_learning_rate(config: Config, total_batch: int) -> None:
    """Scale a learning rate in cfg_options, which beside `--auto-scale-lr` is meant for the published batch, too."""
    published = config['published_schedule'].get('auto_scale_lr', {}).get('base_batch_size')
    if not published:
        problem = 'the config does not say for which batch its learning rate is'
        raise ParameterError('args_options', f'args_options --auto-scale-lr: {problem}')
    config['optim_wrapper']['optimizer']['lr'] *= total_batch / published
