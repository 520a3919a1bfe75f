"""The network: mmdet's preprocessing, and the same numbers from torch and from the runtime."""

from __future__ import annotations

import logging
import os

import numpy as np
import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor

from executor.network import dense as network
from executor.network.dense import Network, RawOutputs, RuntimeNetwork, TorchNetwork, runtime_or_none


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


@pytest.mark.parametrize('before', BEFORE, ids=str)
@pytest.mark.parametrize('size, fixed', [((64, 96), True), ((64, 96), False), ((33, 50), True), ((33, 50), False)])
def test_the_runtime_computes_what_torch_does(before, size, fixed):
    model = Network(TinyModel(**before), channels_last=fixed)
    runtime = RuntimeNetwork(model, size[::-1] if fixed else None)
    found = runtime(pixels(*size))
    expected = TorchNetwork(model, torch.device('cpu'), plain=fixed)(pixels(*size))
    assert found.structure == expected.structure == [[1, 1], None]
    assert [level.shape for level in found.tensors] == [level.shape for level in expected.tensors]
    assert all(torch.allclose(ours, theirs, atol=1e-4) for ours, theirs in zip(found.tensors, expected.tensors))


def test_the_exporter_leaves_nothing_in_the_log(capfd):
    network.export_graph(Network(TinyModel(**BEFORE[2]), channels_last=False), pixels(33, 50), fixed=False)
    assert capfd.readouterr() == ('', '')
    os.write(2, b'stderr is back')
    assert capfd.readouterr().err == 'stderr is back'


def test_raw_outputs_are_nested_again():
    raw = RawOutputs(('a', 'b', 'c'), [[1, 1], None, [1]])
    assert raw.nested() == [['a', 'b'], None, ['c']]


def test_a_graph_that_computes_something_else_is_not_used(monkeypatch, caplog):
    """As an exporter's mistake would look: the graph is of other weights."""
    model, other = Network(TinyModel(), False), Network(TinyModel(), False)
    other.model.first.weight.data *= 1.1
    export = network.export_graph
    monkeypatch.setattr(network, 'export_graph', lambda _, example, fixed: export(other, example, fixed))
    with caplog.at_level(logging.WARNING):
        assert runtime_or_none(model, (32, 32)) is None
    assert 'runs in torch' in caplog.text
    assert 'differ from those of torch' in caplog.text


def test_a_network_that_cannot_be_exported_runs_in_torch(caplog):
    class Unknown(TinyModel):
        def forward(self, images, mode):
            return [torch.linalg.lstsq(images[0], images[0]).solution], None

    network_of_unknown = Network(Unknown(), False)
    with caplog.at_level(logging.WARNING):
        assert runtime_or_none(network_of_unknown, (32, 32)) is None
    assert 'ONNX Runtime cannot run it' in caplog.text
    assert not any(module.training for module in network_of_unknown.modules())


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
    fused = network.fused_network(model, channels_last=False)
    assert all(torch.allclose(ours, theirs, atol=1e-3) for ours, theirs in zip(fused(images), expected))
    norms = [module for module in fused.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == (2 if shared else 0)
