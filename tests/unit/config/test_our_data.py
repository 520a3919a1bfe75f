"""What is kept of a config that was made for other images: neither these, nor how their files are read."""

from __future__ import annotations

from typing import Any, Tuple

import pytest

from executor.config.allowed import refused_parts
from executor.config.our_data import kept_of_package, put_our_data


def innermost(*wrappers: Tuple[str, Any], **dataset: Any) -> Any:
    whole: Any = {'type': 'CocoDataset', 'ann_file': 'a.pkl', 'pipeline': [{'type': 'Resize', 'scale': 1}], **dataset}
    for kind, more in wrappers:
        whole = {'type': kind, **more, **({'datasets': [whole, 1]} if kind == 'ConcatDataset' else {'dataset': whole})}
    return whole


OURS = {'type': 'YmirDataset', 'pipeline': [{'type': 'Resize', 'scale': 1}]}


@pytest.mark.parametrize(
    'dataset, kept',
    [
        (innermost(), OURS),
        (innermost(type='RefCocoDataset', split_file='x.pkl'), OURS),
        (innermost(type='evil.Dataset'), OURS),
        (innermost(('RepeatDataset', {'times': 3})), {'type': 'RepeatDataset', 'times': 3, 'dataset': OURS}),
        (innermost(('mmdet.RepeatDataset', {})), {'type': 'RepeatDataset', 'dataset': OURS}),
        (innermost(pipeline=[{'type': 'mmdet.Resize', 'scale': 1}]), OURS),
        (innermost(pipeline=[{'type': 'evil.Resize'}]), {'type': 'YmirDataset', 'pipeline': [{'type': 'evil.Resize'}]}),
        (innermost(('ConcatDataset', {'lazy_init': 1})), {'type': 'ConcatDataset', 'datasets': [OURS]}),
        (
            innermost(('ClassBalancedDataset', {'oversample_thr': 0.1}), ('MultiImageMixDataset', {'pipeline': []})),
            {
                'type': 'MultiImageMixDataset',
                'pipeline': [],
                'dataset': {'type': 'ClassBalancedDataset', 'oversample_thr': 0.1, 'dataset': OURS},
            },
        ),
        ({'type': 'Evil', 'dataset': innermost()}, {'type': 'YmirDataset'}),
        (None, None),
    ],
)
def test_the_innermost_dataset_is_ours(dataset, kept):
    config = {'train_dataloader': {'batch_size': 1, 'dataset': dataset}}
    put_our_data(config)
    assert config['train_dataloader'] == {'batch_size': 1, 'dataset': kept}


def test_how_files_are_read_is_dropped_wherever_it_stands():
    evil = {'backend': 'memcached', 'sys_path': '/evil'}
    load = {'type': 'LoadImageFromFile', 'backend_args': evil, 'file_client_args': evil, 'to_float32': True}
    kept = {'type': 'LoadImageFromFile', 'to_float32': True}
    choice = {'type': 'RandomChoice', 'transforms': [[load], (load,)]}
    hook = {'type': 'PipelineSwitchHook', 'switch_epoch': 1, 'switch_pipeline': [load]}
    config = {
        'test_dataloader': {'dataset': innermost(pipeline=[choice])},
        'custom_hooks': [hook],
        'published_schedule': {'custom_hooks': [hook]},
    }
    put_our_data(config)
    assert config['test_dataloader']['dataset']['pipeline'] == [{**choice, 'transforms': [[kept], (kept,)]}]
    assert config['custom_hooks'] == [{**hook, 'switch_pipeline': [kept]}]
    assert config['published_schedule'] == {'custom_hooks': [{**hook, 'switch_pipeline': [kept]}]}
    assert list(refused_parts(config)) == []


def test_of_a_package_only_what_a_task_takes_is_kept():
    whole = {'model': 1, 'work_dir': '/tmp', 'compile': True, 'custom_imports': 1, 'visualizer': 1, 'launcher': 'slurm'}
    assert kept_of_package(whole) == {'model': 1}


@pytest.mark.parametrize(
    'named, kept',
    [
        ({'init_cfg': {'type': 'Pretrained', 'checkpoint': '/in/assets/a.pth'}}, {'checkpoint': 'a.pth'}),
        ({'init_cfg': {'type': 'Pretrained', 'checkpoint': 'torchvision://resnet50'}}, {'checkpoint': 'resnet50'}),
        ({'init_cfg': {'type': 'Pretrained', 'checkpoint': 3}}, {'checkpoint': 3}),
        ({'init_cfg': {'checkpoint': 'https://example.com/pvt.pth'}}, {'checkpoint': 'pvt.pth'}),
    ],
)
def test_a_package_names_weights_in_the_image_alone(named, kept):
    found = kept_of_package({'model': {'backbone': named, 'neck': [{'rfp_backbone': {'pretrained': '/tmp/x'}}]}})
    assert found['model']['backbone']['init_cfg'] == {**named['init_cfg'], **kept}
    assert found['model']['neck'] == [{'rfp_backbone': {'pretrained': None}}]
