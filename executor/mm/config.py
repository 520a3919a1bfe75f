"""A task's parameters made into the mmengine config of its training, step by step."""

from __future__ import annotations

import copy
import logging
import math
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from mmengine.config import Config

from executor.contract.env import Env
from executor.contract.errors import ConfigError
from executor.contract.params import TrainParams
from executor.mm import shared_memory
from executor.mm.config_file import load_config
from executor.mm.schedule import describe_schedule, keep_published_schedule, scale_learning_rate, scale_schedule

logger = logging.getLogger(__name__)

_TENSORBOARD_INTERVAL = 10  # iterations

_NO_MASKS = 'config_file names a detector that learns masks, but YMIR exports boxes: choose one for boxes'

# What mmengine's Runner reads beside the keys that a config happens to have.
_RUNNER_KEYS = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval', 'env_cfg', 'log_processor')


def work_dir(env: Env) -> Path:
    """Where a training keeps what is not part of a model: the state to resume from."""
    return env.output.root_dir / 'training'


def build_config(env: Env, params: TrainParams, train_images: int, ranks: int) -> Config:
    """The resolved config of a training on `train_images` images with `ranks` processes.

    The user's cfg_options have the last word; the schedule follows a changed `train_cfg.max_epochs` among them.

    Raises:
        ConfigError, ModelError: config_file or an option does not fit.
    """
    options = {**params.args_options.cfg_options, **params.cfg_options}
    config = load_config(params.config_file, params.model_files)
    keep_published_schedule(config)
    set_classes(config, params.class_names)
    set_datasets(config, env, params)
    max_epochs = int(options.get('train_cfg.max_epochs', params.max_epochs))
    total_batch = int(options.get('train_dataloader.batch_size', params.samples_per_gpu)) * ranks
    scale_schedule(config, max_epochs, math.ceil(train_images / total_batch))
    scale_learning_rate(config, total_batch)
    set_loops(config, params, max_epochs)
    set_runtime(config, env, params, ranks)
    apply_options(config, options)
    if params.args_options.no_validate:
        config['val_cfg'] = config['val_dataloader'] = config['val_evaluator'] = None
    fit_workers(config, ranks)
    if params.args_options.auto_scale_lr:
        _scale_chosen_learning_rate(config, options, total_batch)
    logger.info('schedule: %s', describe_schedule(config, total_batch))
    return config


def apply_options(config: Config, options: Mapping[str, Any]) -> None:
    """Merge `a.b.0.c: value` entries into the config; a list index must exist.

    A first word that mmengine does not know would be merged and never looked at, such as mmdet 2's `optimizer.lr`.
    """
    unknown = sorted({key.partition('.')[0] for key in options} - set(config) - set(_RUNNER_KEYS))
    if unknown:
        raise ConfigError(
            f'cfg_options {", ".join(unknown)}: mmdet 3 has no such key and would ignore it; '
            f'keys of this config: {", ".join(sorted(config))}'
        )
    try:
        config.merge_from_dict(copy.deepcopy(dict(options)))
    except (KeyError, TypeError, ValueError, IndexError, AssertionError) as error:
        raise ConfigError(f'cfg_options do not fit the config: {error}; options: {dict(options)}')


def set_classes(config: Config, class_names: Sequence[str]) -> None:
    """Set the number of classes of every box head: `bbox_head`, `roi_head.bbox_head` (one or a cascade).

    The predecessor overwrote every key called num_classes, at any depth. A detector that has none of the known heads
    is an error rather than a model of 80 classes.
    """
    model = config['model']
    detector = model.get('detector', model)  # semi-supervised wrappers hold one
    roi_head = detector.get('roi_head') or {}
    if 'mask_head' in roi_head or 'mask_head' in detector or 'panoptic_head' in detector:
        raise ConfigError(_NO_MASKS)
    heads = _as_heads(detector.get('bbox_head')) + _as_heads(roi_head.get('bbox_head'))
    heads = [head for head in heads if 'num_classes' in head]
    if not heads:
        raise ConfigError(
            f'the detector of config_file ({model.get("type")}) has no bbox_head or roi_head.bbox_head with '
            'num_classes: choose another detector'
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


def set_datasets(config: Config, env: Env, params: TrainParams) -> None:
    """Put the task's data under the config's pipelines, and validation by `DetectionMetric`."""
    common = {
        'type': 'YmirDataset',
        'export_format': params.export_format,
        'metainfo': {'classes': tuple(params.class_names)},
    }
    loader = config['train_dataloader']
    loader['dataset'] = _with_data(
        loader['dataset'], {**common, 'index_file': str(env.input.training_index_file)}, test_mode=False
    )
    loader = config['val_dataloader']
    loader['dataset'] = _with_data(
        loader['dataset'], {**common, 'index_file': str(env.input.val_index_file)}, test_mode=True
    )
    _keep_true_boxes(loader['dataset']['pipeline'])
    config['val_evaluator'] = {'type': 'DetectionMetric', 'collect_dir': str(work_dir(env) / 'collect')}
    for loader in (config['train_dataloader'], config['val_dataloader']):
        loader.update(batch_size=params.samples_per_gpu, num_workers=params.workers_per_gpu)
    config['test_dataloader'] = copy.deepcopy(config['val_dataloader'])
    config['test_evaluator'] = copy.deepcopy(config['val_evaluator'])


def _with_data(dataset: Mapping[str, Any], data: Mapping[str, Any], test_mode: bool) -> Dict[str, Any]:
    """The dataset with its innermost part replaced; repetition is dropped, since an epoch is once through the data."""
    dataset = dict(dataset)
    if 'datasets' in dataset:
        return _with_data(dataset['datasets'][0], data, test_mode)
    if 'dataset' in dataset:
        inner = _with_data(dataset['dataset'], data, test_mode)
        return inner if dataset['type'] == 'RepeatDataset' else {**dataset, 'dataset': inner}
    pipeline = [dict(transform) for transform in dataset['pipeline']]
    if any(transform.get('with_mask') or transform.get('with_seg') for transform in pipeline):
        raise ConfigError(_NO_MASKS)
    return {**data, 'test_mode': test_mode, 'pipeline': pipeline}


def _keep_true_boxes(pipeline: Sequence[Dict[str, Any]]) -> None:
    """Let the true boxes, in pixels of the original image, reach the metric."""
    pack = pipeline[-1]
    usual = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    pack['meta_keys'] = tuple(dict.fromkeys((*pack.get('meta_keys', usual), *usual, 'instances')))


def fit_workers(config: Config, ranks: int) -> None:
    """Leave each loader no more workers than /dev/shm has room for."""
    free = shared_memory.free_shared_memory() // ranks
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = config[name]
        if loader is None:
            continue
        wanted = loader['num_workers']
        batch = shared_memory.image_bytes(loader['dataset']['pipeline']) * loader['batch_size']
        workers = shared_memory.fit_workers(wanted, batch, free)
        loader.pop('prefetch_factor', None)
        loader.update(num_workers=workers.count, persistent_workers=workers.count > 0)
        if workers.prefetch is not None:
            loader['prefetch_factor'] = workers.prefetch
        if name == 'train_dataloader' and wanted > 0 and workers != (wanted, 2):
            logger.warning(
                '/dev/shm has %d MB free for a rank, too little for %d workers with batches of %d MB: using %d%s; '
                'raise shm_size (docker run --shm-size) for full speed',
                *(free // 10**6, wanted, batch // 10**6, workers.count),
                ' with one batch each' if workers.count else '',
            )


def set_loops(config: Config, params: TrainParams, max_epochs: int) -> None:
    """Epochs and validations. mmengine validates the last epoch whatever the interval, so every model is measured."""
    interval = params.val_interval if params.val_interval > 0 else 1
    config['train_cfg'] = {
        'type': 'EpochBasedTrainLoop',
        'max_epochs': max_epochs,
        'val_interval': interval,
    }
    config['val_cfg'] = {'type': 'ValLoop'}
    config['test_cfg'] = {'type': 'TestLoop'}


def set_runtime(config: Config, env: Env, params: TrainParams, ranks: int) -> None:
    """Precision, randomness, folders; mmengine's own log and checkpoints give way to our hooks."""
    arguments = params.args_options
    if params.gpu_ids and config['optim_wrapper'].get('type') == 'OptimWrapper':
        config['optim_wrapper'].update(type='AmpOptimWrapper', loss_scale='dynamic')
    elif arguments.amp and not params.gpu_ids:
        logger.warning('--amp needs a GPU: training in full precision')
    config['randomness'] = {'seed': arguments.seed, 'deterministic': arguments.deterministic}
    config['default_scope'] = 'mmdet'
    config['work_dir'] = str(work_dir(env))
    config['launcher'] = 'pytorch' if ranks > 1 else 'none'
    if ranks > 1:
        config['model_wrapper_cfg'] = {
            'type': 'MMDistributedDataParallel',
            # Some detectors leave parameters out of a step, on which DDP would fail; one that does not may say so.
            'find_unused_parameters': config.get('find_unused_parameters', True),
            'broadcast_buffers': False,
        }
        if not params.gpu_ids:
            config['model_wrapper_cfg']['device_ids'] = None  # mmengine's default is a GPU
    config['log_level'] = 'ERROR'  # what mmengine warns of is its own deprecations
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


def _scale_chosen_learning_rate(config: Config, options: Mapping[str, Any], total_batch: int) -> None:
    """`--auto-scale-lr` beside a learning rate in cfg_options: that one, too, is meant for the published batch."""
    published = config['published_schedule'].get('auto_scale_lr', {}).get('base_batch_size')
    if 'optim_wrapper.optimizer.lr' in options:
        if not published:
            raise ConfigError('--auto-scale-lr: the config does not say for which batch its learning rate is')
        config['optim_wrapper']['optimizer']['lr'] *= total_batch / published
