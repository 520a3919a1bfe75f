"""Give the weights of Megvii's YOLOX the names of mmdet's; the networks are the same."""

from __future__ import annotations

import re
from typing import Dict, Iterable, Mapping

import torch

# Megvii's PAFPN names its blocks after feature levels; mmdet counts them in the order of the forward pass.
_BLOCKS = {
    'backbone.lateral_conv0': 'neck.reduce_layers.0',
    'backbone.C3_p4': 'neck.top_down_blocks.0',
    'backbone.reduce_conv1': 'neck.reduce_layers.1',
    'backbone.C3_p3': 'neck.top_down_blocks.1',
    'backbone.bu_conv2': 'neck.downsamples.0',
    'backbone.C3_n3': 'neck.bottom_up_blocks.0',
    'backbone.bu_conv1': 'neck.downsamples.1',
    'backbone.C3_n4': 'neck.bottom_up_blocks.1',
    'backbone.backbone.stem': 'backbone.stem',
    'backbone.backbone.dark2': 'backbone.stage1',
    'backbone.backbone.dark3': 'backbone.stage2',
    'backbone.backbone.dark4': 'backbone.stage3',
    'backbone.backbone.dark5': 'backbone.stage4',
    'head.stems': 'neck.out_convs',
    'head.cls_convs': 'bbox_head.multi_level_cls_convs',
    'head.reg_convs': 'bbox_head.multi_level_reg_convs',
    'head.cls_preds': 'bbox_head.multi_level_conv_cls',
    'head.reg_preds': 'bbox_head.multi_level_conv_reg',
    'head.obj_preds': 'bbox_head.multi_level_conv_obj',
}
_BLOCK = re.compile('(?:' + '|'.join(map(re.escape, sorted(_BLOCKS, key=len, reverse=True))) + r')(?=\.)')

# A cross-stage-partial layer's three convolutions, told from a bottleneck's conv1 and conv2 by where they stand:
# directly in a neck block, or in the last element of a backbone stage (1; in stage4 it is 2, since 1 is the SPP).
_CSP = re.compile(r'^(neck\.(?:top_down|bottom_up)_blocks\.\d|backbone\.stage(?:[123]\.1|4\.2))\.conv([123])(?=\.)')
_CSP_CONVS = {'1': 'main_conv', '2': 'short_conv', '3': 'final_conv'}
_CSP_BOTTLENECKS = re.compile(r'^(neck\.(?:top_down|bottom_up)_blocks\.\d|backbone\.stage\d\.\d)\.m(?=\.\d)')


def fits(names: Iterable[str]) -> bool:
    """Tell whether parameter names are those of Megvii's YOLOX, nano to x."""
    return any(name.startswith('backbone.lateral_conv0.') for name in names)


def to_mmdet(parameters: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Give the parameters mmdet's names."""
    return {_rename(name): value for name, value in parameters.items()}


def _rename(name: str) -> str:
    name = _BLOCK.sub(lambda match: _BLOCKS[match.group()], name, count=1)
    name = _CSP.sub(lambda match: f'{match.group(1)}.{_CSP_CONVS[match.group(2)]}', name)
    name = _CSP_BOTTLENECKS.sub(r'\1.blocks', name)
    # Depthwise separable convolutions, in nano.
    return name.replace('.dconv.', '.depthwise_conv.').replace('.pconv.', '.pointwise_conv.')
