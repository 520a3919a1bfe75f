"""A config from outside cannot run anything."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from executor.contract.errors import ConfigError, ModelError
from executor.training.build_config import apply_options
from executor.config.read import config_text, load_config
from executor.config.allowed import running_parts
from executor.training.pretrained import replace_downloads
from tests.support.random_model import NANO

RUNNING = [
    ('custom_hooks.0.type', 'subprocess.Popen'),
    ('model.type', 'os.system'),
    ('model.backbone.type', 'a b'),
    ('model.backbone.type', 3),
    ('model.backbone._scope_', 'evil'),
    ('model.bbox_head.type', 'evil.YOLOXHead'),
    ('model.test_cfg.nms.type', '__import__("os").getcwd()'),
    ('model.test_cfg.nms.type', 'exec'),
    ('custom_hooks.1.type', 'RFSearchHook'),
    ('val_dataloader.dataset.pipeline.0.type', 'mmdet.datasets.LoadImageFromFile'),
    ('default_scope', 'evil'),
]


@pytest.mark.parametrize('config_file', [NANO, 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'])
def test_mmdets_configs_and_ours_name_what_is_registered(config_file):
    assert list(running_parts(load_config(config_file))) == []


@pytest.mark.parametrize('key, value', RUNNING)
def test_a_package_that_names_something_else_is_refused(tmp_path, key, value):
    config = load_config(NANO)
    config.merge_from_dict({key: value})
    (tmp_path / 'config.py').write_text(config_text(config))
    with pytest.raises(ModelError) as error:
        load_config('config.py', [tmp_path / 'config.py'])
    assert f'{key} = {value!r} would run code' in str(error.value)
    assert 'config.py' in str(error.value)


@pytest.mark.parametrize('key, value', RUNNING)
def test_options_cannot_name_something_else(key, value):
    with pytest.raises(ConfigError, match='name something that mmdet registers'):
        apply_options(load_config(NANO), {key: value})


@pytest.mark.parametrize('value', ['soft_nms', 'nms'])
def test_options_may_choose_another_nms(value):
    config = load_config(NANO)
    apply_options(config, {'model.test_cfg.nms.type': value, 'model.backbone.norm_cfg.type': 'mmdet.BN'})
    assert config.model.test_cfg.nms.type == value


def test_backbone_weights_that_a_config_names_are_read_as_data_first(tmp_path):
    torch.save({'w': torch.zeros(1), 'x': Config}, str(tmp_path / 'evil.pth'))
    model = {'backbone': {'init_cfg': {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'evil.pth')}}}
    with pytest.raises(ModelError, match='evil.pth'):
        replace_downloads(model, will_load=False)
