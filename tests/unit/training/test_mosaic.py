"""Training without mosaic: the pipelines of the closing epochs, from the first epoch on."""

from __future__ import annotations

import pytest

from executor.config.our_data import outer_pipeline
from executor.config.read import load_config
from executor.training.mosaic import leave_out_mosaic


def kinds(pipeline):
    return ' '.join(transform['type'] for transform in pipeline)


@pytest.mark.parametrize('size', ['nano', 's', 'darknet53'])
def test_yolox_trains_as_in_its_closing_epochs(size):
    name = f'configs/yolox/yolox_{size}_8x8_300e_coco.py'
    config = load_config(name)
    skipped = ('Mosaic', 'RandomAffine', 'MixUp')  # by mmdet's YOLOXModeSwitchHook
    leave_out_mosaic(config)
    before = outer_pipeline(load_config(name).train_dataloader.dataset)
    found = config.train_dataloader.dataset.pipeline
    assert found == [transform for transform in before if transform['type'] not in skipped]
    assert kinds(found) == 'YOLOXHSVRandomAug RandomFlip Resize Pad FilterAnnotations PackDetInputs'


def test_a_config_that_switches_pipelines_begins_with_the_last_one():
    config = load_config('configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    (switched,) = (hook['switch_pipeline'] for hook in config.custom_hooks if 'switch_pipeline' in hook)
    leave_out_mosaic(config)
    assert config.train_dataloader.dataset.pipeline == switched
    assert config.train_dataloader.dataset.pipeline is not switched


def test_where_nothing_else_resizes_the_image_is_fitted_into_the_mosaic_s_size():
    config = load_config('configs/yolov5/yolov5n_8x8_300e_coco.py')
    pipeline = config.train_dataloader.dataset.pipeline
    pipeline[0]['img_scale'] = (512, 320)
    leave_out_mosaic(config)
    pipeline = config.train_dataloader.dataset.pipeline
    assert kinds(pipeline) == 'YOLOXHSVRandomAug RandomFlip Resize Pad FilterAnnotations PackDetInputs'
    assert pipeline[2] == {'type': 'Resize', 'scale': (512, 320), 'keep_ratio': True}
    assert pipeline[3] == {'type': 'Pad', 'size': (512, 320), 'pad_val': {'img': (114.0, 114.0, 114.0)}}


def test_a_config_without_mosaic_stays_and_that_is_told(caplog):
    config = load_config('configs/yolov3/yolov3_d53_8x8_273e_coco.py')
    with caplog.at_level('INFO', logger='executor'):
        leave_out_mosaic(config)
    assert config.to_dict() == load_config('configs/yolov3/yolov3_d53_8x8_273e_coco.py').to_dict()
    assert 'mosaic: off changes nothing, since config_file trains without mosaic' in caplog.text
