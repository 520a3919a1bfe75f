"""Put the task's images under the pipelines of a config."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Sequence

from mmengine.config import Config

from executor.config.overrides import NO_MASKS
from executor.contract.env import Env
from executor.contract.errors import ParameterError
from executor.contract.params import TrainParams
from executor.training.schedule import ConfigDict


def work_dir(env: Env) -> Path:
    """Return where a training keeps what is not part of a model, such as the state to resume from."""
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


def _with_data(dataset: ConfigDict, data: ConfigDict, test_mode: bool) -> ConfigDict:
    """Replace the innermost part of a dataset; repetition is dropped, since an epoch is once through the data."""
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


def _keep_true_boxes(pipeline: Sequence[ConfigDict]) -> None:
    """Let the true boxes, in pixels of the original image, reach the metric."""
    pack = pipeline[-1]
    usual = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    pack['meta_keys'] = tuple(dict.fromkeys((*pack.get('meta_keys', usual), *usual, 'instances')))
