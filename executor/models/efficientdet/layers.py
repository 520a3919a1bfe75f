"""Build the convolutions that EfficientDet is made of."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from mmcv.cnn import build_norm_layer
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional


@MODELS.register_module()
class SamePaddingConv2d(nn.Conv2d):
    """Pads as TensorFlow does where the stride divides the sides: what is odd, to the right and below.

    mmcv's Conv2dAdaptivePadding does so for any side, but its graph holds for one size, and is three times as large.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0, **others: Any):
        """Take the arguments of torch's; `padding` has no meaning here."""
        super().__init__(inputs, outputs, kernel_size, stride, **others)
        whole = kernel_size - stride
        self._before, self._after = whole // 2, whole - whole // 2
        if self._before == self._after:
            self.padding = (self._before, self._before)

    def forward(self, x: Tensor) -> Tensor:
        if self._before != self._after:
            x = functional.pad(x, (self._before, self._after) * 2)
        return super().forward(x)


def separable_convolution(channels: int, outputs: int, norm_cfg: Any = None) -> nn.Sequential:
    """Convolve 3 x 3 pixels within each channel, then across channels; `norm_cfg` asks for a norm behind it."""
    parts = OrderedDict(
        depthwise=nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        pointwise=nn.Conv2d(channels, outputs, 1),
    )
    if norm_cfg is not None:
        parts['norm'] = norm_of(norm_cfg, outputs)
    return nn.Sequential(parts)


def normed_convolution(channels: int, outputs: int, norm_cfg: Any) -> nn.Sequential:
    """Convolve across channels, with a bias that the norm behind it makes needless, but which the authors have."""
    return nn.Sequential(OrderedDict(pointwise=nn.Conv2d(channels, outputs, 1), norm=norm_of(norm_cfg, outputs)))


def norm_of(norm_cfg: Any, channels: int) -> nn.Module:
    """Build the norm that a config asks for."""
    return build_norm_layer(norm_cfg, channels)[1]
