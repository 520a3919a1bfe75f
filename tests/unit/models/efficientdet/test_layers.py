"""TensorFlow's padding: as mmcv's convolution pads, for every kernel and stride of EfficientNet."""

from __future__ import annotations

import pytest
import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding

from executor.models.efficientdet.layers import SamePaddingConv2d


@pytest.mark.parametrize('kernel, stride', [(1, 1), (3, 1), (5, 1), (3, 2), (5, 2)])
def test_it_pads_as_mmcvs(kernel, stride):
    torch.manual_seed(1)
    theirs = Conv2dAdaptivePadding(4, 6, kernel, stride, groups=2, bias=False)
    ours = SamePaddingConv2d(4, 6, kernel, stride, padding=kernel // 2, groups=2, bias=False)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 4, 8, 12)
    torch.testing.assert_close(ours(x), theirs(x))
