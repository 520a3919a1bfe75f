"""Where a training starts from, and what is told where it starts from nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.training.pretrained import from_scratch, starting_weights
from executor.weights import choose, image

SCRATCH = 'no pretrained weights: training from scratch, which needs many more epochs and images'
TINY = (
    'those of YOLOX-tiny are published at https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/'
    'yolox_tiny.pth (Apache-2.0): choose the file as pretrained model, or build the image with it'
)


@pytest.fixture
def weights(tmp_path, monkeypatch) -> Path:
    """The folder of the image's weights."""
    for module in (choose, image):
        monkeypatch.setattr(module, 'IMAGE_WEIGHTS', tmp_path / 'weights')
    return tmp_path / 'weights'


@pytest.mark.parametrize(
    'config_file, published',
    [
        ('configs/yolox/yolox_tiny_8x8_300e_coco.py', f'; {TINY}'),
        ('yolox_tiny_8xb8-300e_coco.py', f'; {TINY}'),  # mmdet's
        ('mine.py', ''),
    ],
)
def test_a_training_from_scratch_is_told_what_there_is(weights, config_file, published):
    assert from_scratch(config_file) == f'{SCRATCH}{published}'
    (weights / 'more').mkdir(parents=True)
    for name in ('yolox_s.pth', 'more/resnet50.pth'):
        (weights / name).touch()
    here = 'the image has more/resnet50.pth, yolox_s.pth, for a config_file that begins with the same name'
    assert from_scratch(config_file) == f'{SCRATCH}{published}; {here}'


def test_the_image_s_weights_are_for_configs_of_their_name(ymir_task, weights):
    weights.mkdir()
    (weights / 'yolox_s.pth').touch()
    found = [
        starting_weights(ymir_task.job(config_file=f'configs/yolox/yolox_{size}_8x8_300e_coco.py').training)
        for size in ('s', 'tiny')
    ]
    assert found == [weights / 'yolox_s.pth', None]
