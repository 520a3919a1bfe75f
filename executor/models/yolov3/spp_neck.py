"""Build YOLOv3's neck with spatial pyramid pooling, that of YOLOv3-SPP."""

from __future__ import annotations

from typing import Any

from mmdet.models.backbones.csp_darknet import SPPBottleneck
from mmdet.models.necks import YOLOV3Neck
from mmdet.registry import MODELS


@MODELS.register_module()
class YOLOV3SPPNeck(YOLOV3Neck):
    """YOLOv3's neck, whose first block pools its features over three windows on the way."""

    def __init__(self, *, norm_cfg: Any = None, act_cfg: Any = None, **others: Any) -> None:
        """Take the arguments of mmdet's YOLOV3Neck."""
        norm_cfg = norm_cfg or {'type': 'BN', 'requires_grad': True}
        act_cfg = act_cfg or {'type': 'LeakyReLU', 'negative_slope': 0.1}
        super().__init__(norm_cfg=norm_cfg, act_cfg=act_cfg, **others)
        channels = self.out_channels[0]
        self.detect1.conv3 = SPPBottleneck(2 * channels, channels, (5, 9, 13), norm_cfg=norm_cfg, act_cfg=act_cfg)
