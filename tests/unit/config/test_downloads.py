"""No config makes the program download, or unpickle more than weights."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from executor.config.downloads import replace_downloads
from executor.config.read import load_config
from executor.contract.errors import ModelError
from executor.weights import choose


def test_backbone_weights_are_not_downloaded(tmp_path, monkeypatch, caplog):
    model = load_config('configs/retinanet/retinanet_r50_fpn_1x_coco.py').model
    monkeypatch.setattr(choose, 'IMAGE_WEIGHTS', tmp_path)
    (tmp_path / 'resnet50-0676ba61.pth').write_bytes(b'')
    replace_downloads(model, will_load=False)
    assert model.backbone.init_cfg.checkpoint == str(tmp_path / 'resnet50-0676ba61.pth')
    (tmp_path / 'resnet50-0676ba61.pth').unlink()
    replace_downloads(model, will_load=False)
    assert model.backbone.init_cfg is None
    assert '/weights in the image holds no resnet50' in caplog.text


def test_backbone_weights_that_a_config_names_are_read_as_data_first(tmp_path):
    torch.save({'w': torch.zeros(1), 'x': Config}, str(tmp_path / 'evil.pth'))
    model = {'backbone': {'init_cfg': {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'evil.pth')}}}
    with pytest.raises(ModelError, match='evil.pth'):
        replace_downloads(model, will_load=False)
