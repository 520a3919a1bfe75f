"""A config from outside cannot run anything."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from mmdet.registry import MODELS

from executor.config.allowed import running_parts
from executor.config.plain import config_text
from executor.config.read import load_config
from executor.contract.errors import ModelError
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


def test_a_part_registered_later_is_known_at_once():
    config = {'model': {'type': 'JustRegistered'}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, 'find_spec', lambda name: 'a module')  # so that the name alone is refused
        assert dict(running_parts(config)) == {'model.type': 'JustRegistered'}
        MODELS.register_module('JustRegistered', module=torch.nn.Identity)
        try:
            assert dict(running_parts(config)) == {}
        finally:
            del MODELS.module_dict['JustRegistered']
