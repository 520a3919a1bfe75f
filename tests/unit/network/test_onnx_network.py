"""The network in ONNX Runtime: the same numbers as from torch, or not used."""

from __future__ import annotations

import os

import pytest
import torch

from executor.network import onnx_network
from executor.network.dense import Network, TorchNetwork
from executor.network.onnx_network import OnnxNetwork
from tests.unit.network.test_dense import BEFORE, TinyModel, pixels


@pytest.mark.parametrize('before', BEFORE, ids=str)
@pytest.mark.parametrize('size, fixed', [((64, 96), True), ((64, 96), False), ((33, 50), True), ((33, 50), False)])
def test_the_runtime_computes_what_torch_does(before, size, fixed):
    model = Network(TinyModel(**before), channels_last=fixed)
    runtime = OnnxNetwork(model, size[::-1] if fixed else None)
    found, absent = runtime(pixels(*size))
    expected, absent_too = TorchNetwork(model, torch.device('cpu'), plain=fixed)(pixels(*size))
    assert absent is absent_too is None
    assert [level.shape for level in found] == [level.shape for level in expected]
    assert all(torch.allclose(ours, theirs, atol=1e-4) for ours, theirs in zip(found, expected))
    assert len(found) == 2


def test_the_exporter_leaves_nothing_in_the_log(capfd):
    onnx_network.export_graph(Network(TinyModel(**BEFORE[2]), channels_last=False), pixels(33, 50), fixed=False)
    assert capfd.readouterr() == ('', '')
    os.write(2, b'stderr is back')
    assert capfd.readouterr().err == 'stderr is back'


def test_a_graph_that_computes_something_else_is_an_error(monkeypatch):
    """As an exporter's mistake would look: the graph is of other weights."""
    model, other = Network(TinyModel(), False), Network(TinyModel(), False)
    other.model.first.weight.data *= 1.1
    model(torch.from_numpy(pixels(32, 32)))  # after which it knows how its outputs are nested
    export = onnx_network.export_graph
    monkeypatch.setattr(onnx_network, 'export_graph', lambda _, example, fixed: export(other, example, fixed))
    with pytest.raises(ValueError, match='differ from those of torch'):
        OnnxNetwork(model, (32, 32))


def test_a_network_that_cannot_be_exported_stays_as_it_is():
    class Unknown(TinyModel):
        def forward(self, images, mode):
            return [torch.linalg.lstsq(images[0], images[0]).solution], None

    network_of_unknown = Network(Unknown(), False)
    with pytest.raises(Exception, match='lstsq'):
        OnnxNetwork(network_of_unknown, (32, 32))
    assert not any(module.training for module in network_of_unknown.modules())
