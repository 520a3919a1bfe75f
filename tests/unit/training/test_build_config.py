"""Parameters made into a config: what each key changes, and who has the last word."""

from __future__ import annotations

import logging
import os

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.optim import build_optim_wrapper

from executor.contract.errors import ConfigError
from executor.training import workers
from executor.training.build_config import build_config
from executor.weights.choose import replace_downloads


@pytest.fixture
def build(ymir_task):
    def build(ranks: int = 1, images: int = 100, fine_tunes: bool = False, **values):
        job = ymir_task.job(**{'samples_per_gpu': 8, 'workers_per_gpu': 1, 'max_epochs': 10, **values})
        return build_config(job.env, job.training, images, ranks, fine_tunes=fine_tunes)

    return build


def test_data_of_the_task(build, ymir_task):
    config = build(export_format='voc:raw', samples_per_gpu=4)
    inner = config.train_dataloader.dataset.dataset
    assert (inner.type, inner.export_format) == ('YmirDataset', 'voc:raw')
    assert inner.index_file == str(ymir_task.root / 'in' / 'train-index.tsv')
    assert config.val_dataloader.dataset.index_file == str(ymir_task.root / 'in' / 'val-index.tsv')
    assert inner.metainfo == {'classes': ('cat', 'dog')}
    assert config.model.bbox_head.num_classes == 2
    assert (config.train_dataloader.batch_size, config.val_dataloader.batch_size) == (4, 4)
    assert 'instances' in config.val_dataloader.dataset.pipeline[-1].meta_keys


@pytest.mark.parametrize('given, interval', [(5, 5), (0, 1), (-1, 1)])
def test_val_interval(build, given, interval):
    expected = {'type': 'EpochBasedTrainLoop', 'max_epochs': 10, 'val_interval': interval}
    assert build(val_interval=given).train_cfg == expected


@pytest.mark.parametrize(
    'values, rate',
    [
        ({'ranks': 4}, 0.01 * 32 / 64),
        ({'cfg_options': 'train_dataloader.batch_size=32'}, 0.01 * 32 / 64),
        ({'args_options': '--auto-scale-lr'}, 0.01 * 8 / 64),
        ({'args_options': '--auto-scale-lr', 'cfg_options': 'optim_wrapper.optimizer.lr=0.02'}, 0.02 * 8 / 64),
    ],
)
def test_the_learning_rate_follows_the_total_batch(build, values, rate):
    assert build(**values).optim_wrapper.optimizer.lr == pytest.approx(rate)


@pytest.mark.parametrize(
    'values, rate, closing, fine_tuned',
    [
        ({'fine_tunes': False}, 0.00125, 1, False),
        ({}, 0.0025, 5, True),
        ({'learning_rate': 0.125}, 0.125, 5, True),
        ({'cfg_options': 'fine_tuning=None'}, 0.00125, 1, False),
        ({'cfg_options': 'fine_tuning.closing_share=0.2'}, 0.0025, 2, True),
        ({'cfg_options': 'custom_hooks.0.num_last_epochs=6 optim_wrapper.optimizer.lr=0.5'}, 0.5, 7, True),
        ({'config_file': 'configs/yolov5/yolov5n_8x8_300e_coco.py'}, 0.00125, None, False),
    ],
)
def test_a_schedule_for_pretrained_weights(build, caplog, values, rate, closing, fine_tuned):
    caplog.set_level(logging.INFO)
    config = build(**{'fine_tunes': True, **values})
    assert config.optim_wrapper.optimizer.lr == pytest.approx(rate)
    assert closing is None or config.custom_hooks[0].num_last_epochs + 1 == closing
    assert config.fine_tuned is fine_tuned
    assert ('the schedule is that for pretrained weights: the learning rate goes' in caplog.text) is fine_tuned


def test_a_chosen_learning_rate_stands_and_the_end_of_the_curve_follows(build, caplog):
    retinanet = 'configs/retinanet/retinanet_r50_fpn_1x_coco.py'
    with caplog.at_level(logging.INFO, logger='executor'):
        assert build(ranks=2, learning_rate='0.003').optim_wrapper.optimizer.lr == 0.003
        assert build(learning_rate=0.003, config_file=retinanet).optim_wrapper.optimizer.lr == 0.003
    assert 'learning_rate: 0.003 for a total batch of 16, instead of 0.0025' in caplog.text  # 0.01 * 16 / 64
    options = {'learning_rate': 0.003, 'cfg_options': 'optim_wrapper.optimizer.lr=0.004'}
    assert build(**options).optim_wrapper.optimizer.lr == 0.004  # cfg_options have the last word
    # RTMDet ends at a twentieth of 0.004 for 256.
    curve = build(learning_rate=0.002, config_file='configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py').param_scheduler[1]
    assert curve['eta_min'] == pytest.approx(0.002 / 20)


def test_a_chosen_size_and_no_mosaic_and_cfg_options_after_them(build):
    config = build(input_size=640, mosaic='off', cfg_options='train_dataloader.dataset.pipeline.2.scale=(320,320)')
    pipeline = config.train_dataloader.dataset.pipeline
    assert [transform['type'] for transform in pipeline[:3]] == ['YOLOXHSVRandomAug', 'RandomFlip', 'Resize']
    assert pipeline[2]['scale'] == (320, 320)
    for loader in (config.val_dataloader, config.test_dataloader):
        assert loader.dataset.pipeline[1]['scale'] == (640, 640)


@pytest.mark.parametrize('loader', ['train_dataloader', 'val_dataloader'])
@pytest.mark.parametrize('kind', ['InfiniteSampler', 'mmengine.InfiniteSampler'])
def test_a_sampler_that_never_ends_an_epoch_is_refused(build, loader, kind):
    with pytest.raises(ConfigError, match=f'cfg_options {loader}.sampler.type is InfiniteSampler, which never ends'):
        build(cfg_options=f'{loader}.sampler.type={kind} {loader}.sampler.seed=3')


def test_cfg_options_have_the_last_word(build, caplog):
    with caplog.at_level(logging.INFO, logger='executor'):
        config = build(
            cfg_options='optim_wrapper.optimizer.lr=0.003 train_cfg.max_epochs=20 param_scheduler.0.end=4 '
            'model.data_preprocessor.batch_augments.0.random_size_range=(320,352) model.test_cfg.nms.iou_threshold=0.5'
        )
    assert config.optim_wrapper.optimizer.lr == 0.003
    assert config.train_cfg.max_epochs == 20
    assert config.param_scheduler[0]['end'] == 4
    assert config.param_scheduler[2]['end'] == 20  # the schedule follows the changed epochs
    assert config.model.data_preprocessor.batch_augments[0].random_size_range == (320, 352)
    assert config.model.test_cfg.nms == {'type': 'nms', 'iou_threshold': 0.5}
    assert '20 epochs, total batch 8, learning rate 0.003; epochs of the schedule: QuadraticWarmupLR 0-4' in caplog.text


def test_options_in_args_options_count_and_give_way_to_cfg_options(build):
    arguments = '--cfg-options model.test_cfg.score_thr=0.1 train_cfg.val_begin=2'
    for cfg_options, threshold in (('', 0.1), ('model.test_cfg.score_thr=0.2', 0.2)):
        config = build(args_options=arguments, cfg_options=cfg_options)
        assert config.model.test_cfg.score_thr == threshold


def test_seed_deterministic_and_no_validate(build):
    assert build().randomness == {'seed': 1, 'deterministic': False}
    config = build(args_options='--seed 7 --deterministic --no-validate')
    assert config.randomness == {'seed': 7, 'deterministic': True}
    assert (config.val_cfg, config.val_dataloader, config.val_evaluator) == (None, None, None)


def test_the_platforms_evaluator_stays(build):
    with pytest.raises(ConfigError, match='cfg_options val_evaluator: no such key may be set'):
        build(cfg_options='val_evaluator.type=CocoMetric')


def test_a_schedule_by_iterations_becomes_one_by_epochs(build):
    """90,000 iterations with steps after 60,000 and 80,000, on 100 images in batches of 8: 13 iterations an epoch."""
    config = build(config_file='configs/retinanet/retinanet_r50_fpn_90k_coco.py', max_epochs=9)
    assert config.train_dataloader.sampler == {'type': 'DefaultSampler', 'shuffle': True}
    assert config.train_cfg.type == 'EpochBasedTrainLoop'
    assert config.log_processor == {'type': 'LogProcessor'}
    assert config.param_scheduler[1]['milestones'] == [78, 104]  # of 117


def test_several_ranks_are_wrapped_as_the_options_say(build):
    assert 'model_wrapper_cfg' not in build()
    by_mmengine = {'type': 'MMDistributedDataParallel', 'find_unused_parameters': False, 'broadcast_buffers': False}
    assert build(ranks=2).model_wrapper_cfg == {**by_mmengine, 'device_ids': None}
    assert build(ranks=2, cfg_options='find_unused_parameters=True').model_wrapper_cfg.find_unused_parameters
    on_gpus = build(ranks=2, gpu_id='0,1', gpu_count=2, config_file='configs/retinanet/retinanet_r50_fpn_1x_coco.py')
    assert on_gpus.model_wrapper_cfg.find_unused_parameters
    assert 'device_ids' not in on_gpus.model_wrapper_cfg


def test_precision_on_cpu_and_gpu(build, caplog):
    assert build().optim_wrapper.type == 'OptimWrapper'
    assert build(gpu_id='0', gpu_count=1).optim_wrapper.type == 'AmpOptimWrapper'
    off = build(gpu_id='0', gpu_count=1, cfg_options='optim_wrapper.type=OptimWrapper')
    assert type(build_optim_wrapper(torch.nn.Linear(1, 1), off.optim_wrapper)).__name__ == 'OptimWrapper'
    with caplog.at_level(logging.WARNING, logger='executor'):
        assert build(args_options='--amp').optim_wrapper.type == 'OptimWrapper'
    assert '--amp needs a GPU' in caplog.text


@pytest.mark.parametrize(
    'cores, ranks, chosen, expected',
    [
        (1, 1, {}, 1),
        (2, 1, {}, 2),
        (64, 1, {}, 4),
        (8, 4, {}, 2),
        (2, 4, {}, 1),
        (2, 1, {'workers_per_gpu': 8}, 8),
        (2, 1, {'workers_per_gpu': 3}, 3),
        (2, 1, {'workers_per_gpu': 0}, 0),
        (2, 1, {'cfg_options': 'train_dataloader.num_workers=4'}, 4),
    ],
)
def test_the_default_workers_are_no_more_than_the_cores(build, monkeypatch, caplog, cores, ranks, chosen, expected):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(cores)))
    with caplog.at_level(logging.INFO, logger='executor'):
        config = build(ranks=ranks, **{'workers_per_gpu': 4, **chosen})
    assert config.train_dataloader.num_workers == expected
    told = f'workers_per_gpu: {cores // ranks or 1} instead of the default 4, as many as there are cores'
    assert (told in caplog.text) == ('workers_per_gpu' not in chosen and cores // ranks < 4)
    if 'cfg_options' not in chosen:
        assert config.val_dataloader.num_workers == expected


def test_batches_are_pinned_for_a_gpu(build):
    for gpu in ({}, {'gpu_id': '0', 'gpu_count': 1}):
        config = build(config_file='configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py', **gpu)  # says pin_memory=True
        assert (config.train_dataloader.pin_memory, config.val_dataloader.pin_memory) == (bool(gpu), bool(gpu))
    config = build(gpu_id='0', gpu_count=1, cfg_options='train_dataloader.pin_memory=False')
    assert not config.train_dataloader.pin_memory


def test_little_shared_memory_means_fewer_workers_and_a_warning(build, monkeypatch, caplog):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(4)))
    monkeypatch.setattr(workers, 'free_shared_memory', lambda ranks, use_gpu: 64 * 2**20)
    with caplog.at_level(logging.WARNING, logger='executor'):
        config = build(workers_per_gpu=4)
    assert (config.train_dataloader.num_workers, config.train_dataloader.prefetch_factor) == (3, 1)
    assert '--shm-size' in caplog.text
    caplog.clear()
    monkeypatch.setattr(workers, 'free_shared_memory', lambda ranks, use_gpu: 2**34)
    assert build(workers_per_gpu=4).train_dataloader.num_workers == 4
    assert '--shm-size' not in caplog.text
    assert build(workers_per_gpu=0).train_dataloader.num_workers == 0


@pytest.mark.parametrize(
    'name',
    [
        'retinanet/retinanet_r50_fpn_1x_coco.py',
        'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
        'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
        'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
        'yolo/yolov3_d53_8xb8-ms-416-273e_coco.py',
        'ssd/ssd300_coco.py',
        'detr/detr_r50_8xb2-150e_coco.py',
    ],
)
def test_detectors_of_mmdet_get_the_tasks_classes(build, name):
    register_all_modules()
    config = build(config_file=f'configs/{name}')
    replace_downloads(config.model, will_load=True)
    model = MODELS.build(config.model)
    heads = getattr(model, 'bbox_head', None) or model.roi_head.bbox_head
    for head in heads if hasattr(heads, '__len__') else [heads]:
        assert head.num_classes == 2
    assert config.train_cfg.max_epochs == 10
