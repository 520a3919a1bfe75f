"""Build YOLOv5's backbone and neck from mmdet's parts, and name its detector."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from mmcv.cnn import ConvModule
from mmdet.models.backbones import CSPDarknet
from mmdet.models.backbones.csp_darknet import SPPBottleneck
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.necks import YOLOXPAFPN
from mmdet.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class YOLOV5(SingleStageDetector):
    """YOLOv5: backbone, neck and head one after the other."""


class _SerialPooling(SPPBottleneck):
    """Pooling over 5, 9 and 13 pixels as three poolings over 5, each of what the last gave: the same, but faster."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, C, h, w) into as many levels of another number of channels."""
        pooled = [self.conv1(x)]
        for pooling in self.poolings:
            pooled.append(pooling(pooled[-1]))
        return self.conv2(torch.cat(pooled, dim=1))


@MODELS.register_module()
class YOLOV5CSPDarknet(CSPDarknet):
    """The backbone of versions 6.0 to 7.0 or, with `focus`, of 5.0, which is nearly that of YOLOX."""

    def __init__(
        self, *, channels: Sequence[int], blocks: Sequence[int], focus: bool, norm_cfg: Any, act_cfg: Any, **others: Any
    ) -> None:
        """Give `channels` of the stem and the four stages, `blocks` of each stage; the rest is mmdet's CSPDarknet's."""
        stages = [[*sizes, count, True, False] for *sizes, count in zip(channels, channels[1:], blocks)]
        stages[-1][3:] = [not focus, True]  # whether blocks add what they got; whether the stage pools
        super().__init__(arch_ovewrite=stages, norm_cfg=norm_cfg, act_cfg=act_cfg, **others)
        convolution, _, layer = self.stage4
        pooling = _SerialPooling(channels[-1], channels[-1], (5, 5, 5), norm_cfg=norm_cfg, act_cfg=act_cfg)
        order = (pooling, layer) if focus else (layer, pooling)
        self.add_module('stage4', nn.Sequential(convolution, *order))
        if not focus:
            self.stem = ConvModule(3, channels[0], 6, stride=2, padding=2, norm_cfg=norm_cfg, act_cfg=act_cfg)


@MODELS.register_module()
class YOLOV5PAFPN(YOLOXPAFPN):
    """The neck: that of YOLOX without the convolutions that give all levels the same channels."""

    def __init__(self, *, in_channels: Sequence[int], **others: Any) -> None:
        """Take the arguments of mmdet's YOLOXPAFPN; what comes out has the channels of what goes in."""
        super().__init__(in_channels=in_channels, out_channels=in_channels[0], **others)
        self.out_convs = nn.ModuleList()
