"""Build the neck of YOLOX-Darknet53: that of YOLOv3-SPP, for a head that wants the same channels of every level."""

from __future__ import annotations

from typing import Any, Sequence, Tuple

from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from torch import Tensor, nn

from executor.models.yolov3.spp_neck import YOLOV3SPPNeck


@MODELS.register_module()
class YOLOXDarknetNeck(YOLOV3SPPNeck):
    """The neck of YOLOv3-SPP with 1x1 convolutions behind it; the levels come out by rising stride."""

    def __init__(self, *, head_channels: int, norm_cfg: Any, act_cfg: Any, **others: Any) -> None:
        """`head_channels`: of every level that comes out; the rest is for mmdet's YOLOV3Neck."""
        super().__init__(norm_cfg=norm_cfg, act_cfg=act_cfg, **others)
        self.out_convs = nn.ModuleList(
            ConvModule(channels, head_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
            for channels in reversed(self.out_channels)
        )

    def forward(self, feats: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Turn the backbone's levels, by rising stride, into the head's."""
        levels = reversed(super().forward(feats))
        return tuple(convolution(level) for convolution, level in zip(self.out_convs, levels))
