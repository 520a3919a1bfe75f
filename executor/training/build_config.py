"""Make a task's parameters into the mmengine config of its training, step by step."""

from __future__ import annotations

import copy
import logging
import math
from typing import Any, Dict, List, Mapping, Sequence

from mmengine.config import Config

from executor.config.allowed import running_parts
from executor.config.blame import config_to_blame
from executor.config.read import SAVED_KEYS, load_config
from executor.contract import forms
from executor.contract.env import Env
from executor.contract.errors import ParameterError
from executor.contract.params import TrainParams
from executor.contract.shown import clipped, shown
from executor.training.data import NO_MASKS, set_datasets, work_dir
from executor.training.schedule import describe_schedule, keep_published_schedule, scale_learning_rate, scale_schedule
from executor.training.workers import set_workers

logger = logging.getLogger(__name__)

_TENSORBOARD_INTERVAL = 10  # iterations
# mmdet draws another seed each time; with a fixed one a task run again gives the same model, if the device allows.
_DEFAULT_SEED = 1

# What mmengine's Runner reads beside the keys that a config happens to have.
_RUNNER_KEYS = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'env_cfg',
    'find_unused_parameters',
    'log_processor',
    'model_wrapper_cfg',
    'sync_bn',
)


def build_config(env: Env, params: TrainParams, train_images: int, ranks: int) -> Config:
    """Resolve the config of a training on `train_images` images with `ranks` processes.

    The user's cfg_options have the last word; the schedule follows a changed `train_cfg.max_epochs` among them.

    Raises:
        ConfigError, ModelError: config_file or an option does not fit.
    """
    config = load_config(params.config_file, params.model_files)
    options = params.config_options
    with config_to_blame(config, options):
        _complete(config, options, env, params, train_images, ranks)
    return config


def _complete(
    config: Config, options: Mapping[str, object], env: Env, params: TrainParams, train_images: int, ranks: int
) -> None:
    keep_published_schedule(config)
    set_classes(config, params.class_names)
    set_datasets(config, env, params)
    max_epochs = _chosen_number(options, 'train_cfg.max_epochs', params.max_epochs)
    total_batch = _chosen_number(options, 'train_dataloader.batch_size', params.samples_per_gpu) * ranks
    scale_schedule(config, max_epochs, math.ceil(train_images / total_batch))
    scale_learning_rate(config, total_batch)
    set_loops(config, params, max_epochs)
    set_runtime(config, env, params, ranks)
    apply_options(config, options)
    if config['val_evaluator'].get('type') != 'DetectionMetric':
        raise _wrong('val_evaluator: the platform needs the numbers of DetectionMetric: leave its type')
    if params.args_options.no_validate:
        config['val_cfg'] = config['val_dataloader'] = config['val_evaluator'] = None
    set_workers(config, ranks, use_gpu=bool(params.gpu_ids))
    if ranks > 1:
        set_wrapper(config, use_gpu=bool(params.gpu_ids))
    if params.args_options.auto_scale_lr:
        _scale_chosen_learning_rate(config, options, total_batch)
    logger.info('schedule: %s', describe_schedule(config, total_batch))


def apply_options(config: Config, options: Mapping[str, Any]) -> None:
    """Merge `a.b.0.c: value` entries into the config; a list index must exist.

    A first word that mmengine does not know would be merged and never looked at, such as mmdet 2's `optimizer.lr`.
    """
    if 'resume' in options:
        raise _wrong('resume: use args_options --resume, which finds or takes the file to resume from')
    for key in options:
        if key.rpartition('.')[2] == 'num_classes':
            raise _wrong(f'{key}: the number of classes is that of class_names: leave it out')
    unknown = sorted({key.partition('.')[0] for key in options} - set(config) - set(_RUNNER_KEYS))
    if unknown:
        raise _wrong(
            f'{", ".join(unknown)}: mmdet 3 has no such key and would ignore it: use keys of the config, which begin '
            f'with {", ".join(key for key in SAVED_KEYS if key in config)}'
        )
    known = dict(running_parts(config))
    try:
        config.merge_from_dict(copy.deepcopy(dict(options)))
    except (KeyError, TypeError, ValueError, IndexError, AssertionError) as error:
        reason = str(error).strip('"').partition(' of list [')[0]  # mmengine prints the whole list
        raise _wrong(f'do not fit the config ({clipped(reason)}): name keys and list positions that it has')
    for key, value in running_parts(config):
        if key not in known:
            raise _wrong(
                f'{key}={clipped(str(value))} would have mmdet run or unpickle what is not its own: name something '
                'that mmdet registers, or leave it out'
            )


def _chosen_number(options: Mapping[str, Any], key: str, default: int) -> int:
    """A whole number of at least 1 that the user's options may override."""
    try:
        return forms.integer(1)(options.get(key, default))
    except ValueError as error:
        raise _wrong(f'{key} must be {error}, found {shown(options[key])}')


def _wrong(problem: str) -> ParameterError:
    return ParameterError('cfg_options', f'cfg_options {problem}')


def set_classes(config: Config, class_names: Sequence[str]) -> None:
    """Set the number of classes of every box head: `bbox_head`, `roi_head.bbox_head` (one or a cascade).

    The predecessor overwrote every key called num_classes, at any depth. A detector that has none of the known heads
    is an error rather than a model of 80 classes.
    """
    model = config['model']
    detector = model.get('detector', model)  # semi-supervised wrappers hold one
    roi_head = detector.get('roi_head') or {}
    if 'mask_head' in roi_head or 'mask_head' in detector or 'panoptic_head' in detector:
        raise ParameterError('config_file', NO_MASKS)
    heads = _as_heads(detector.get('bbox_head')) + _as_heads(roi_head.get('bbox_head'))
    heads = [head for head in heads if 'num_classes' in head]
    if not heads:
        raise ParameterError(
            'config_file',
            f'the detector of config_file ({model.get("type")}) has no bbox_head or roi_head.bbox_head with '
            'num_classes: choose another detector',
        )
    for head in heads:
        head['num_classes'] = len(class_names)
        for loss in head.values():
            if isinstance(loss, dict) and 'num_classes' in loss:
                loss['num_classes'] = len(class_names)


def _as_heads(value: Any) -> List[Dict[str, Any]]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def set_wrapper(config: Config, use_gpu: bool) -> None:
    """Wrap the model for several ranks as mmengine does by itself, but for the CPU."""
    wrapper = {
        'type': 'MMDistributedDataParallel',
        # Some detectors leave parameters out of a step, on which DDP would fail; one that does not may say so.
        'find_unused_parameters': config.get('find_unused_parameters', True),
        'broadcast_buffers': False,
    }
    if not use_gpu:
        wrapper['device_ids'] = None
    config['model_wrapper_cfg'] = {**wrapper, **config.get('model_wrapper_cfg', {})}


def set_loops(config: Config, params: TrainParams, max_epochs: int) -> None:
    """Set epochs and validations. mmengine validates the last epoch, too, so every model is measured."""
    interval = max(1, params.val_interval)
    config['train_cfg'] = {'type': 'EpochBasedTrainLoop', 'max_epochs': max_epochs, 'val_interval': interval}
    config['val_cfg'] = {'type': 'ValLoop'}
    config['test_cfg'] = {'type': 'TestLoop'}


def set_runtime(config: Config, env: Env, params: TrainParams, ranks: int) -> None:
    """Set precision, randomness and folders; mmengine's own log and checkpoints give way to our hooks."""
    arguments = params.args_options
    if params.gpu_ids and config['optim_wrapper'].get('type') == 'OptimWrapper':
        config['optim_wrapper']['type'] = 'AmpOptimWrapper'
    elif arguments.amp and not params.gpu_ids:
        logger.warning('--amp needs a GPU: training in full precision')
    seed = _DEFAULT_SEED if arguments.seed is None else arguments.seed
    config['randomness'] = {'seed': seed, 'deterministic': arguments.deterministic}
    config['default_scope'] = 'mmdet'
    config['work_dir'] = str(work_dir(env))
    config['launcher'] = 'pytorch' if ranks > 1 else 'none'
    config['log_level'] = 'ERROR'  # what mmengine warns of is its own deprecations
    config['log_processor'] = {'type': 'LogProcessor'}  # by epoch, also where the config counts iterations
    config['load_from'] = None
    config['resume'] = False
    config['default_hooks'] = {
        'checkpoint': None,
        'logger': {'type': 'LoggerHook', 'interval': _TENSORBOARD_INTERVAL},
    }
    config['visualizer'] = {
        'type': 'Visualizer',
        'vis_backends': [{'type': 'TensorboardVisBackend', 'save_dir': str(env.output.tensorboard_dir)}],
    }


def _scale_chosen_learning_rate(config: Config, options: Mapping[str, object], total_batch: int) -> None:
    """Scale a learning rate in cfg_options, which beside `--auto-scale-lr` is meant for the published batch, too."""
    published = config['published_schedule'].get('auto_scale_lr', {}).get('base_batch_size')
    if 'optim_wrapper.optimizer.lr' in options:
        if not published:
            raise ParameterError(
                'args_options',
                'args_options --auto-scale-lr: the config does not say for which batch its learning rate is',
            )
        config['optim_wrapper']['optimizer']['lr'] *= total_batch / published
