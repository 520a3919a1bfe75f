"""Build EfficientDet's neck, the BiFPN (Tan et al., EfficientDet, CVPR 2020), and name its detector."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from executor.models.efficientdet.layers import normed_convolution, separable_convolution

_LEVELS = 5  # of strides 8 to 128
_EPS = 1e-4  # of the sum of weights


@MODELS.register_module()
class EfficientDet(SingleStageDetector):
    """EfficientDet: backbone, neck and head one after the other."""


class _Fusion(nn.Module):
    """Adds maps of one shape, each as much as a learned weight says, and convolves what comes out."""

    def __init__(self, maps: int, channels: int, norm_cfg: Any) -> None:
        super().__init__()
        self.fusion_weights = nn.Parameter(torch.ones(maps))
        self.convolution = separable_convolution(channels, channels, norm_cfg)

    def forward(self, *maps: Tensor) -> Tensor:
        weights = self.fusion_weights.relu()
        first, *others = (one * weight for one, weight in zip(maps, weights / (weights.sum() + _EPS)))
        for one in others:
            first = first + one
        return self.convolution(functional.silu(first))


class _Layer(nn.Module):
    """Fuses each level with what came of the coarser ones, then with what came of the finer ones."""

    def __init__(self, channels: int, norm_cfg: Any) -> None:
        super().__init__()
        last = _LEVELS - 1
        self.down = nn.ModuleList(_Fusion(2, channels, norm_cfg) for _ in range(last))  # to all levels but the last
        self.up = nn.ModuleList(_Fusion(3 if level < last else 2, channels, norm_cfg) for level in range(1, _LEVELS))

    def forward(self, levels: Sequence[Tensor], again: Sequence[Tensor]) -> List[Tensor]:
        """Fuse levels, the finest first; on the way up with those of `again`."""
        down = [levels[-1]]
        for fusion, level in zip(reversed(self.down), reversed(levels[:-1])):
            down.insert(0, fusion(level, functional.interpolate(down[0], scale_factor=2.0)))
        up = [down[0]]
        for fusion, *maps in zip(self.up, again[1:], down[1:]):
            # Of the last level both are the same.
            up.append(fusion(*maps[: len(fusion.fusion_weights) - 1], _halved(up[-1])))
        return up


@MODELS.register_module()
class BiFPN(BaseModule):
    """The neck: takes the backbone's levels of stride 8, 16 and 32 and gives five, of strides 8 to 128.

    The sides of what the network gets must be multiples of 128.
    """

    def __init__(
        self, *, in_channels: Sequence[int], out_channels: int, stacked_layers: int, norm_cfg: Any, init_cfg: Any = None
    ) -> None:
        """Give the channels of the three levels, those of the five, and how many layers follow each other."""
        super().__init__(init_cfg)

        def same_channels(channels: int) -> nn.Sequential:
            return normed_convolution(channels, out_channels, norm_cfg)

        self.to_down = nn.ModuleList(map(same_channels, in_channels))
        self.to_up = nn.ModuleList(map(same_channels, in_channels[1:]))  # the first layer's; a finest level has none
        self.to_coarse = same_channels(in_channels[-1])
        self.layers = nn.ModuleList(_Layer(out_channels, norm_cfg) for _ in range(stacked_layers))

    def forward(self, feats: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Turn the backbone's three levels, the finest first, into the head's five."""
        sixth = _halved(self.to_coarse(feats[-1]))
        coarse = [sixth, _halved(sixth)]
        levels = [convolution(level) for convolution, level in zip(self.to_down, feats)] + coarse
        again = levels[:1] + [convolution(level) for convolution, level in zip(self.to_up, feats[1:])] + coarse
        for layer in self.layers:
            levels = again = layer(levels, again)
        return tuple(levels)


def _halved(level: Tensor) -> Tensor:
    """Pool 3 x 3 pixels at stride 2 with padding as TensorFlow's: to the right and below of an even side."""
    return functional.max_pool2d(level, 3, 2, ceil_mode=True)
