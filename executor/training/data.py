"""The data side of a config: the task's images under the config's pipelines, batches, and workers that fit."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any, Dict, Mapping, Sequence

from mmengine.config import Config

from executor.config.classes import NO_MASKS
from executor.config.read import outer_pipeline
from executor.contract.env import Env
from executor.contract.errors import ParameterError
from executor.contract.params import TrainParams
from executor.machine import shared_memory

logger = logging.getLogger(__name__)


def work_dir(env: Env) -> Path:
    """Where a training keeps what is not part of a model: the state to resume from."""
    return env.output.root_dir / 'training'


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
    if config['train_dataloader']['sampler']['type'] == 'InfiniteSampler':  # of a loop by iterations
        config['train_dataloader']['sampler'] = {'type': 'DefaultSampler', 'shuffle': True}
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
        raise ParameterError('config_file', NO_MASKS)
    return {**data, 'test_mode': test_mode, 'pipeline': pipeline}


def _keep_true_boxes(pipeline: Sequence[Dict[str, Any]]) -> None:
    """Let the true boxes, in pixels of the original image, reach the metric."""
    pack = pipeline[-1]
    usual = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    pack['meta_keys'] = tuple(dict.fromkeys((*pack.get('meta_keys', usual), *usual, 'instances')))


def fit_workers(config: Config, ranks: int, use_gpu: bool) -> None:
    """Leave each loader no more workers than /dev/shm has room for."""
    free = shared_memory.free_shared_memory(ranks, use_gpu)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = config[name]
        if loader is None:
            continue
        wanted = loader['num_workers']
        batch = shared_memory.image_bytes(outer_pipeline(loader['dataset'])) * loader['batch_size']
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
