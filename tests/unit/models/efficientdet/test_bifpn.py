"""EfficientDet's neck: fusion and pooling by hand, and what its levels are made of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from executor.models.efficientdet.bifpn import BiFPN, _Fusion, _halved

NORM = {'type': 'BN', 'eps': 0.001, 'momentum': 0.01}


def test_maps_are_fused_by_their_weights():
    """Weights of 3, 1 and below 0, where ReLU leaves nothing: (3 * 2 + 1 * -6) / 4.0001, then SiLU."""
    fusion = _Fusion(3, 4, NORM).eval()
    fusion.convolution = nn.Identity()
    fusion.fusion_weights.data = torch.tensor([3.0, 1.0, -5.0])
    maps = (torch.full((1, 4, 2, 2), value) for value in (2.0, 6.0, 100.0))
    expected = torch.nn.functional.silu(torch.tensor(12 / 4.0001))
    torch.testing.assert_close(fusion(*maps), expected.expand(1, 4, 2, 2))


@pytest.mark.parametrize('side', [2, 4, 8])
def test_pooling_is_tensorflows(side):
    """SAME of an even side at stride 2 pads one pixel of no value to the right and below."""
    level = -1 - torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))  # where 0 would win
    padded = nn.functional.pad(level, (0, 1, 0, 1), value=-torch.inf)
    expected = padded.unfold(2, 3, 2).unfold(3, 3, 2).amax(dim=(4, 5))
    assert expected.shape[2:] == (side // 2, side // 2)
    torch.testing.assert_close(_halved(level), expected, rtol=0, atol=0)


def test_every_level_depends_on_all_of_the_backbones():
    torch.manual_seed(1)
    neck = BiFPN(in_channels=[3, 4, 5], out_channels=8, stacked_layers=1, norm_cfg=NORM).eval()
    levels = [torch.randn(1, channels, side, side, requires_grad=True) for channels, side in ((3, 16), (4, 8), (5, 4))]
    made = neck(levels)
    assert [level.shape[2] for level in made] == [16, 8, 4, 2, 1]
    for level in made:
        grads = torch.autograd.grad(level.sum(), levels, retain_graph=True)
        assert all(grad.abs().max() > 0 for grad in grads)


def test_a_step_uses_every_parameter():
    neck = BiFPN(in_channels=[3, 4, 5], out_channels=8, stacked_layers=2, norm_cfg=NORM)
    levels = [torch.randn(2, channels, side, side) for channels, side in ((3, 16), (4, 8), (5, 4))]
    sum(level.sum() for level in neck(levels)).backward()
    assert [name for name, parameter in neck.named_parameters() if parameter.grad is None] == []
