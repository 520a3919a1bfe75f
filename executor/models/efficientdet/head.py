"""Build EfficientDet's head: the same convolutions for all levels, but norms of each level's own."""

from __future__ import annotations

import math
from typing import Any, List, Sequence, Tuple

from mmdet.models.dense_heads import AnchorHead
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from executor.models.efficientdet.layers import norm_of, separable_convolution

_EXPECTED = 0.01  # the score of every class of a new head


class _Branch(nn.Module):
    """What the head does for classes, or for boxes."""

    def __init__(self, channels: int, outputs: int, depth: int, levels: int, norm_cfg: Any) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(separable_convolution(channels, channels) for _ in range(depth))
        self.norms = nn.ModuleList(
            nn.ModuleList(norm_of(norm_cfg, channels) for _ in range(levels)) for _ in range(depth)
        )
        self.predict = separable_convolution(channels, outputs)

    def forward(self, levels: Sequence[Tensor]) -> List[Tensor]:
        for convolution, norms in zip(self.convolutions, self.norms):
            levels = [functional.silu(norm(convolution(level))) for norm, level in zip(norms, levels)]
        return [self.predict(level) for level in levels]


@MODELS.register_module()
class EfficientDetHead(AnchorHead):
    """The head; what it learns from and how it finds boxes is mmdet's."""

    def __init__(self, *, stacked_convs: int, norm_cfg: Any, **others: Any) -> None:
        """Give the convolutions of a branch before its last, and the settings of mmdet's AnchorHead."""
        self.stacked_convs = stacked_convs
        self.norm_cfg = norm_cfg
        super().__init__(**others, init_cfg=None)

    def _init_layers(self) -> None:
        def branch(outputs: int) -> _Branch:
            levels = self.prior_generator.num_levels
            return _Branch(self.in_channels, self.num_base_priors * outputs, self.stacked_convs, levels, self.norm_cfg)

        self.classes, self.boxes = branch(self.cls_out_channels), branch(self.bbox_coder.encode_size)

    def init_weights(self) -> None:
        """Let a new head expect no objects."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                area = part.kernel_size[0] * part.kernel_size[1]
                nn.init.normal_(part.weight, std=(area * part.in_channels) ** -0.5)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
        nn.init.constant_(self.classes.predict.pointwise.bias, math.log(_EXPECTED / (1 - _EXPECTED)))

    def forward(self, x: Sequence[Tensor]) -> Tuple[List[Tensor], List[Tensor]]:
        """Give the maps of all levels: of classes (B, A C, h, w), and of boxes (B, A 4, h, w)."""
        return self.classes(x), self.boxes(x)
