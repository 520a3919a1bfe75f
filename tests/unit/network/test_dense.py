"""The network: mmdet's preprocessing, nested outputs, and norms fused into convolutions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor

from executor.network.dense import Network, fused_network, nested, on_device


class TinyModel(torch.nn.Module):
    """A head of two levels and a group that is not there, as mmdet's `forward` returns it."""

    def __init__(self, **before) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.data_preprocessor = DetDataPreprocessor(**before)
        self.first = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.second = torch.nn.Conv2d(4, 2, 3, stride=2, padding=1)

    def forward(self, images, mode):
        assert mode == 'tensor'
        first = self.first(images)
        return [first, self.second(first)], None


def pixels(height: int, width: int, batch: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)


BEFORE = [
    {},
    {'pad_size_divisor': 32},
    {'mean': [1, 2, 3], 'std': [4, 5, 6], 'bgr_to_rgb': True, 'pad_size_divisor': 32},
    {'mean': [1, 2, 3], 'std': [4, 5, 6], 'pad_size_divisor': 16, 'pad_value': 7},
]


@pytest.mark.parametrize('before', BEFORE, ids=str)
@pytest.mark.parametrize('size', [(32, 64), (33, 50)])
def test_images_are_normalised_as_mmdet_does(before, size):
    images = pixels(*size, batch=2)
    chw = [torch.from_numpy(image.transpose(2, 0, 1).copy()) for image in images]
    expected = DetDataPreprocessor(**before)({'inputs': chw, 'data_samples': None})['inputs']
    found = Network(TinyModel(**before), channels_last=False).normalised(torch.from_numpy(images))
    assert torch.equal(found, expected)


def test_raw_outputs_are_nested_again():
    assert nested([[1, 1], None, [1]], iter('abc')) == [['a', 'b'], None, ['c']]


class Shared(TinyModel):
    """One convolution for two norms, as in RTMDet's head, or one for each."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        convs = [torch.nn.Conv2d(3, 4, 3, bias=False) for _ in range(2)]
        self.pairs = torch.nn.ModuleList()
        for number in range(2):
            norm = torch.nn.BatchNorm2d(4)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            self.pairs.append(torch.nn.Sequential(convs[0 if shared else number], norm))

    def forward(self, images, mode):
        return [pair(images) for pair in self.pairs], None


@pytest.mark.parametrize('shared', [True, False])
def test_norms_are_fused_only_where_that_changes_nothing(shared):
    model = Shared(shared).eval()
    images = torch.from_numpy(pixels(32, 32))
    expected = Network(model, False)(images)
    fused = fused_network(model, channels_last=False)
    assert all(torch.allclose(ours, theirs, atol=1e-3) for ours, theirs in zip(fused(images), expected))
    norms = [module for module in fused.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == (2 if shared else 0)


class Pixels:
    """Notes what is asked of it."""

    def __init__(self, notes=()) -> None:
        self.notes = notes

    def pin_memory(self):
        return Pixels((*self.notes, 'pinned'))

    def to(self, device, non_blocking):
        return Pixels((*self.notes, device.type, non_blocking))


def test_what_goes_to_a_gpu_is_pinned_and_nobody_waits():
    assert on_device(Pixels(), torch.device('cuda', 1)).notes == ('pinned', 'cuda', True)
    there = torch.arange(3)
    assert on_device(there, torch.device('cpu')) is there
