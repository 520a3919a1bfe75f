"""Put the task's images under the pipelines of a config."""

from __future__ import annotations

import copy
import os
from typing import List, Sequence

from mmengine.config import Config

from executor.config.overrides import NO_MASKS
from executor.config.plain import ConfigDict
from executor.contract.env import Env
from executor.contract.errors import ParameterError
from executor.contract.params import TrainParams


def set_datasets(config: Config, env: Env, params: TrainParams) -> None:
    """Put the task's data under the config's pipelines, and validation by `DetectionMetric`."""
    metainfo = {'classes': tuple(params.class_names)}
    common = {'type': 'YmirDataset', 'export_format': params.export_format, 'metainfo': metainfo}
    for name, index in (('train', env.input.training_index_file), ('val', env.input.val_index_file)):
        loader = config[f'{name}_dataloader']
        data = {**common, 'index_file': str(index), 'test_mode': name == 'val'}
        loader['dataset'] = _with_data(loader['dataset'], data)
        loader['batch_size'] = params.samples_per_gpu
    validated = config['val_dataloader']['dataset']
    validated['pipeline'] = with_truth(validated['pipeline'])
    config['val_evaluator'] = {'type': 'DetectionMetric', 'collect_dir': os.path.join(config['work_dir'], 'collect')}
    if config['train_dataloader']['sampler']['type'] == 'InfiniteSampler':  # of a loop by iterations
        config['train_dataloader']['sampler'] = {'type': 'DefaultSampler', 'shuffle': True}
    config['test_dataloader'] = copy.deepcopy(config['val_dataloader'])
    config['test_evaluator'] = copy.deepcopy(config['val_evaluator'])


def with_truth(pipeline: Sequence[ConfigDict]) -> List[ConfigDict]:
    """Have the true boxes, in pixels of the original image, reach the metric of a validation."""
    usual = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    *others, pack = pipeline
    keys = tuple(dict.fromkeys((*pack.get('meta_keys', usual), *usual, 'instances')))
    return [*others, {**pack, 'meta_keys': keys}]


def _with_data(dataset: ConfigDict, data: ConfigDict) -> ConfigDict:
    """Replace the innermost part of a dataset; repetition is dropped, since an epoch is once through the data."""
    dataset = dict(dataset)
    if 'datasets' in dataset:
        return _with_data(dataset['datasets'][0], data)
    if 'dataset' in dataset:
        inner = _with_data(dataset['dataset'], data)
        return inner if dataset['type'] == 'RepeatDataset' else {**dataset, 'dataset': inner}
    pipeline = [dict(transform) for transform in dataset['pipeline']]
    if any(transform.get('with_mask') or transform.get('with_seg') for transform in pipeline):
        raise ParameterError('config_file', NO_MASKS)
    return {**data, 'pipeline': pipeline}
