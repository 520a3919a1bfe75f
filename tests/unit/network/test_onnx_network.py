"""The network in ONNX Runtime: the same numbers as from torch, or not used."""

from __future__ import annotations

import logging
import os

import pytest
import torch

from executor.network import onnx_network
from executor.network.dense import Network
from executor.network.onnx_network import OnnxNetwork, onnx_or_none
from executor.network.torch_network import TorchNetwork
from tests.unit.network.test_dense import BEFORE, TinyModel, pixels


@pytest.mark.parametrize('before', BEFORE, ids=str)
@pytest.mark.parametrize('size, fixed', [((64, 96), True), ((64, 96), False), ((33, 50), True), ((33, 50), False)])
def test_the_runtime_computes_what_torch_does(before, size, fixed):
    model = Network(TinyModel(**before), channels_last=fixed)
    runtime = OnnxNetwork(model, size[::-1] if fixed else None)
    found = runtime(pixels(*size))
    expected = TorchNetwork(model, torch.device('cpu'), plain=fixed)(pixels(*size))
    assert found.structure == expected.structure == [[1, 1], None]
    assert [level.shape for level in found.tensors] == [level.shape for level in expected.tensors]
    assert all(torch.allclose(ours, theirs, atol=1e-4) for ours, theirs in zip(found.tensors, expected.tensors))


def test_the_exporter_leaves_nothing_in_the_log(capfd):
    onnx_network.export_graph(Network(TinyModel(**BEFORE[2]), channels_last=False), pixels(33, 50), fixed=False)
    assert capfd.readouterr() == ('', '')
    os.write(2, b'stderr is back')
    assert capfd.readouterr().err == 'stderr is back'


def test_a_graph_that_computes_something_else_is_not_used(monkeypatch, caplog):
    """As an exporter's mistake would look: the graph is of other weights."""
    model, other = Network(TinyModel(), False), Network(TinyModel(), False)
    other.model.first.weight.data *= 1.1
    export = onnx_network.export_graph
    monkeypatch.setattr(onnx_network, 'export_graph', lambda _, example, fixed: export(other, example, fixed))
    with caplog.at_level(logging.WARNING):
        assert onnx_or_none(model, (32, 32)) is None
    assert 'runs in torch' in caplog.text
    assert 'differ from those of torch' in caplog.text


def test_a_network_that_cannot_be_exported_runs_in_torch(caplog):
    class Unknown(TinyModel):
        def forward(self, images, mode):
            return [torch.linalg.lstsq(images[0], images[0]).solution], None

    network_of_unknown = Network(Unknown(), False)
    with caplog.at_level(logging.WARNING):
        assert onnx_or_none(network_of_unknown, (32, 32)) is None
    assert 'ONNX Runtime cannot run it' in caplog.text
    assert not any(module.training for module in network_of_unknown.modules())
