"""Build the convolutions that EfficientDet's neck and head are made of."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import nn


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
