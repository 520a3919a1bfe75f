"""Models nobody trained, for tests of what happens to any model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from executor.config.overrides import apply_options, set_classes
from executor.config.read import load_config
from executor.weights.checkpoint import save_weights
from executor.weights.choose import replace_downloads

NANO = 'configs/yolox/yolox_nano_8x8_300e_coco.py'


def write_random_weights(
    file: Path, config_file: str = NANO, classes: Sequence[str] = ('cat', 'dog'), options=None, **meta
) -> Path:
    """Bare weights, always the same, of a detector with a class for each name; `options` as cfg_options."""
    register_all_modules()
    config = load_config(config_file)
    set_classes(config, classes)
    apply_options(config, options or {})
    replace_downloads(config['model'], will_load=True)
    torch.manual_seed(0)
    model = MODELS.build(config['model'])
    logging.disable(logging.INFO)  # mmengine tells of each parameter
    try:
        model.init_weights()
    finally:
        logging.disable(logging.NOTSET)
    if type(model).__name__ in ('YOLOX', 'YOLOV3'):
        _make_lively(model)
    save_weights(file, model.state_dict(), meta)
    return file


def _make_lively(model: torch.nn.Module) -> None:
    """Let the initial detector see differences: its batch norms have statistics of nothing, so that features vanish."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(2, 3, 128, 128) * 255, mode='tensor')
    for name, parameter in model.named_parameters():
        if name.startswith('bbox_head.multi_level_conv_') and parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=2e-5 if '_reg.' in name else 1e-3)  # features are of hundreds
        if name.startswith('bbox_head.convs_pred.') and parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.02)
