"""Our YOLOX configs: sizes as published, phases as published."""

from __future__ import annotations

import pytest
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from executor.config.read import load_config

# Millions of parameters, Megvii's YOLOX README (tiny, s to x) and paper (nano).
PUBLISHED = {'nano': 0.91, 'tiny': 5.06, 's': 9.0, 'm': 25.3, 'l': 54.2, 'x': 99.1}


@pytest.mark.parametrize('size', PUBLISHED)
def test_parameter_counts_are_the_published_ones(size):
    register_all_modules()
    model = MODELS.build(load_config(f'configs/yolox/yolox_{size}_8x8_300e_coco.py').model)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    digits = len(str(PUBLISHED[size]).split('.')[1])
    assert round(millions, digits) == PUBLISHED[size]


@pytest.mark.parametrize('size', PUBLISHED)
def test_the_pipelines_are_those_of_mmdet(size):
    """The same transforms with the same settings as the config that mmdet packages under its own name."""
    ours = load_config(f'configs/yolox/yolox_{size}_8x8_300e_coco.py')
    theirs = load_config(f'configs/yolox/yolox_{size}_8xb8-300e_coco.py')
    assert ours.train_dataloader.dataset.pipeline == theirs.train_dataloader.dataset.pipeline
    assert [t.type for t in ours.val_dataloader.dataset.pipeline] == [
        t.type for t in theirs.val_dataloader.dataset.pipeline
    ]
    assert ours.val_dataloader.dataset.pipeline[1] == theirs.val_dataloader.dataset.pipeline[1]
    assert ours.model.test_cfg == theirs.model.test_cfg
    assert ours.model.train_cfg == theirs.model.train_cfg
    assert ours.model.data_preprocessor == theirs.model.data_preprocessor
    assert ours.optim_wrapper == theirs.optim_wrapper
    ema = [hook for hook in ours.custom_hooks if hook.type == 'EMAHook']
    assert ema == [hook for hook in theirs.custom_hooks if hook.type == 'EMAHook']
