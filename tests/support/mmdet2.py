"""Model packages as mmdet 2 wrote them: YOLOX nano, and the predecessor's layout of a package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

CONFIG = 'yolox_nano_8x8_300e_coco.py'
BEST, LATEST = 'best_bbox_mAP_epoch_8.pth', 'epoch_10.pth'
_GREY = {'img': (114.0, 114.0, 114.0)}


def nano_config(classes: int, side: int = 416) -> dict[str, Any]:
    """The values of its config that matter, and some that only mmdet 2 had."""
    narrow = {'use_depthwise': True}
    return {
        'optimizer': {'type': 'SGD', 'lr': 0.01},
        'runner': {'type': 'EpochBasedRunner', 'max_epochs': 10},
        'model': {
            'type': 'YOLOX',
            'input_size': (640, 640),
            'random_size_range': (10, 20),
            'random_size_interval': 10,
            'backbone': {'type': 'CSPDarknet', 'deepen_factor': 0.33, 'widen_factor': 0.25, **narrow},
            'neck': {
                'type': 'YOLOXPAFPN',
                'in_channels': [64, 128, 256],
                'out_channels': 64,
                'num_csp_blocks': 1,
                **narrow,
            },
            'bbox_head': {
                'type': 'YOLOXHead',
                'num_classes': classes,
                'in_channels': 64,
                'feat_channels': 64,
                **narrow,
            },
            'train_cfg': {'assigner': {'type': 'SimOTAAssigner', 'center_radius': 2.5}},
            'test_cfg': {'score_thr': 0.01, 'nms': {'type': 'nms', 'iou_threshold': 0.65}},
        },
        'data': {
            'samples_per_gpu': 16,
            'test': {'type': 'YmirDataset', 'ann_file': '', 'pipeline': pipeline_of_test(side)},
        },
        'work_dir': '/out/models',
    }


def pipeline_of_test(side: int, *transforms: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pipeline of a test; without transforms that of YOLOX."""
    middle = transforms or (
        {'type': 'Resize', 'keep_ratio': True},
        {'type': 'RandomFlip'},
        {'type': 'Pad', 'pad_to_square': True, 'pad_val': _GREY},
    )
    packed = [{'type': 'DefaultFormatBundle'}, {'type': 'Collect', 'keys': ['img']}]
    several = {'img_scale': (side, side), 'flip': False, 'transforms': [*middle, *packed]}
    return [{'type': 'LoadImageFromFile'}, {'type': 'MultiScaleFlipAug', **several}]


def text_of(config: Mapping[str, Any]) -> str:
    return ''.join(f'{key} = {value!r}\n' for key, value in config.items()) + 'gpu_ids = range(0, 2)\n'


def checkpoint(parameters: Mapping[str, torch.Tensor], names: Sequence[str], text: str, epoch: int) -> dict[str, Any]:
    """What its hook for averages and its runner saved; what was not averaged is made zero."""
    not_averaged = {f'ema_{name.replace(".", "_")}': value * 0 for name, value in parameters.items()}
    meta = {'mmcv_version': '1.4.3', 'CLASSES': list(names), 'config': text, 'exp_name': CONFIG, 'epoch': epoch}
    return {'meta': meta, 'state_dict': {**not_averaged, **parameters}, 'optimizer': {'state': {}}}


def write_package(
    folder: Path, parameters: Mapping[str, torch.Tensor], names: Sequence[str], side: int = 416
) -> list[Path]:
    """Write a config, the best weights, and the latest, which are too large; returns the files."""
    text = text_of(nano_config(len(names), side))
    (folder / CONFIG).write_text(text, encoding='utf-8')
    torch.save(checkpoint(parameters, names, text, 8), str(folder / BEST))
    worse = {name: value * 1.5 if value.is_floating_point() else value for name, value in parameters.items()}
    torch.save(checkpoint(worse, names, text, 10), str(folder / LATEST))
    return [folder / name for name in (CONFIG, BEST, LATEST)]
