"""Which weight file is chosen."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from executor.config.read import load_config
from executor.contract.errors import ModelError
from executor.weights import choose
from executor.weights.checkpoint import save_weights
from executor.weights.choose import architecture, best_weights, choose_weights, replace_downloads


def stage_file(folder: Path, name: str, **meta: float) -> Path:
    save_weights(folder / name, {'w': torch.zeros(1)}, meta)
    return folder / name


def test_architecture_of_a_config_name():
    assert architecture('configs/yolox/yolox_tiny_8x8_300e_coco.py') == 'yolox_tiny'
    assert architecture('configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py') == 'rtmdet_tiny'
    assert architecture('configs/retinanet/retinanet_r50_fpn_1x_coco.py') == 'retinanet_r50_fpn_1x_coco'
    assert architecture('mine.py') == 'mine'


def test_the_best_weights_count_then_the_latest_never_the_files_time(tmp_path):
    low = stage_file(tmp_path, 'epoch_9.pth', mAP=0.5, epoch=9)
    best = stage_file(tmp_path, 'epoch_3.pth', mAP=0.7, epoch=3)
    best_too = stage_file(tmp_path, 'epoch_4.pth', mAP=0.7, epoch=4)
    for age, file in enumerate((best_too, best, low)):
        os.utime(file, (1000 + age, 1000 + age))
    assert choose_weights([low, best, best_too, tmp_path / 'config.py'], 'x.py') == best_too


def test_of_mmdet_2_the_weights_called_best_count_then_the_latest(tmp_path):
    """It writes no mAP into a file."""
    latest, first = stage_file(tmp_path, 'epoch_10.pth', epoch=10), stage_file(tmp_path, 'epoch_9.pth', epoch=9)
    assert best_weights([latest, first]) == best_weights([first, latest]) == latest
    best = stage_file(tmp_path, 'best_bbox_mAP_epoch_8.pth', epoch=8)
    assert best_weights([latest, best, first]) == best_weights([best, first, latest]) == best
    measured = stage_file(tmp_path, 'epoch_3.pth', epoch=3, mAP=0.1)
    assert best_weights([best, measured]) == measured


def test_a_state_to_resume_from_is_not_taken_for_the_weights(tmp_path):
    weights = stage_file(tmp_path, 'epoch_4.pth')  # of which nothing is known
    state = stage_file(tmp_path, 'resume.pth', mAP=0.9, epoch=4)
    assert best_weights([state, weights]) == best_weights([weights, state]) == weights
    assert best_weights([state, tmp_path / 'yolox.py']) == state


def test_without_a_package_the_images_weights_are_used(tmp_path, monkeypatch):
    monkeypatch.setattr(choose, 'IMAGE_WEIGHTS', tmp_path)
    assert choose_weights([], 'configs/yolox/yolox_s_8x8_300e_coco.py') is None
    for name in ('yolox_small.pth', 'yolox_s_8x8_300e_coco-abc.pth', 'readme_yolox_s.txt'):
        (tmp_path / name).write_bytes(b'')
    assert choose_weights([], 'configs/yolox/yolox_s_8x8_300e_coco.py').name == 'yolox_s_8x8_300e_coco-abc.pth'
    assert choose_weights([], 'configs/yolox/yolox_nano_8x8_300e_coco.py') is None


@pytest.mark.parametrize('bad', [math.nan, math.inf, True, 'high', None, [1.0]])
def test_a_merit_that_is_no_number_counts_least(tmp_path, bad):
    sound = stage_file(tmp_path, 'a.pth', mAP=0.1, epoch=1)
    for order in ([sound, stage_file(tmp_path, 'b.pth', mAP=bad, epoch=9)], [tmp_path / 'b.pth', sound]):
        assert best_weights(order) == sound
    newer = stage_file(tmp_path, 'b.pth', mAP=0.1, epoch=bad)
    assert best_weights([newer, sound]) == best_weights([sound, newer]) == sound


def test_a_number_of_numpy_which_is_not_read_for_safety_ranks_as_none(tmp_path):
    torch.save({'state_dict': {'w': torch.ones(2)}, 'meta': {'mAP': np.float64(0.5)}}, str(tmp_path / 'published.pth'))
    assert best_weights([tmp_path / 'published.pth'] * 2) == tmp_path / 'published.pth'


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


@pytest.mark.parametrize(
    'init, left',
    [
        ({'type': 'mmengine.Pretrained', 'checkpoint': 'https://x/a.pth'}, None),
        ([None, {'type': 'Pretrained', 'checkpoint': 'a.pth'}], [None]),
        (
            {'type': 'Kaiming', 'override': {'type': 'Pretrained', 'checkpoint': 'a'}},
            {'type': 'Kaiming', 'override': None},
        ),
    ],
)
def test_no_form_of_an_initialisation_is_downloaded(init, left):
    model = {'backbone': [{'init_cfg': init}]}
    replace_downloads(model, will_load=True)
    assert model == {'backbone': [{'init_cfg': left}]}


def test_backbone_weights_that_a_config_names_are_read_as_data_first(tmp_path):
    torch.save({'w': torch.zeros(1), 'x': Config}, str(tmp_path / 'evil.pth'))
    model = {'backbone': {'init_cfg': {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'evil.pth')}}}
    with pytest.raises(ModelError, match='evil.pth'):
        replace_downloads(model, will_load=False)


@pytest.mark.parametrize('several', [False, True])
def test_what_a_config_names_as_backbone_weights_is_looked_at_wherever_it_stands(tmp_path, several):
    torch.save({'w': torch.tensor([0.0, math.nan])}, str(tmp_path / 'nan.pth'))
    os.mkfifo(tmp_path / 'pipe.pth')
    other = {'type': 'Normal', 'layer': 'Conv2d'}

    def model(checkpoint: object) -> dict:
        init = {'type': 'Pretrained', 'checkpoint': checkpoint}
        return {'backbone': {'init_cfg': [other, init] if several else init}}

    with pytest.raises(ModelError, match='nan.pth: w holds numbers that are not finite'):
        replace_downloads(model(str(tmp_path / 'nan.pth')), will_load=True)
    for odd in (['a.pth'], 7, None, b'a.pth'):
        with pytest.raises(ModelError, match='the checkpoint of an init_cfg of type Pretrained is .*, expected a path'):
            replace_downloads(model(odd), will_load=True)
    for path in (tmp_path / 'pipe.pth', '/dev/zero', 'torchvision://resnet50'):  # none is opened
        made = model(str(path))
        replace_downloads(made, will_load=True)
        assert made['backbone']['init_cfg'] == ([other] if several else None)
