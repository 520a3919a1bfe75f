"""What the writers leave for a stage."""

from __future__ import annotations

import torch
from mmengine.config import Config

from executor.config.plain import read_plain_config
from executor.training.stage_files import StageContent
from executor.training.stage_hook import WRITERS
from executor.weights.checkpoint import class_ap_of, read_checkpoint
from tests.support.task_folder import names_in


def test_a_stage_has_its_weights_and_its_config(tmp_path):
    config = Config({'model': {'type': 'YOLOX'}, 'work_dir': '/out'})
    class_ap = {'cat': 0.25, 'dog': 0.75}
    content = StageContent('epoch_3', 3, 0.5, class_ap, {'weight': torch.ones(2)}, ('cat', 'dog'), config, 'yolox.py')
    names = [write(tmp_path / 'epoch_3', content) for write in WRITERS]
    assert names == ['epoch_3.pth', 'yolox.py']
    assert names_in(tmp_path / 'epoch_3') == sorted(names)
    weights = read_checkpoint(tmp_path / 'epoch_3' / 'epoch_3.pth')
    assert weights['state_dict']['weight'].tolist() == [1, 1]
    classes = {'classes': ('cat', 'dog')}
    numbers = {'epoch': 3, 'mAP': 0.5, 'class_ap': class_ap}
    assert weights['meta'] == {**numbers, 'dataset_meta': classes, 'config_file': 'yolox.py'}
    assert class_ap_of(weights) == (0.25, 0.75)
    assert read_plain_config(tmp_path / 'epoch_3' / 'yolox.py') == {'model': {'type': 'YOLOX'}}
