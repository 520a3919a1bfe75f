"""What a GPU is waited for while a batch goes through a detector, counted on a CPU that takes the GPU's path.

Each wait leaves the GPU without work. Those counted here are the least that our way needs: none may be added.
"""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytest
import torch

from executor.detector.detector import Detector
from executor.detector.load import TORCH
from executor.models.objectness import ObjectnessHead
from tests.support.random_model import NANO
from tests.unit.detector.test_load import YOLOV3, detector_of

overrides = pytest.importorskip('torch.overrides')
if not hasattr(overrides, 'TorchFunctionMode'):
    pytest.skip('this torch cannot watch its functions', allow_module_level=True)

VALUES = ('item', 'tolist', 'numpy', '__array__', '__bool__', '__int__', '__float__', '__index__', '__contains__')
COUNTS = ('nonzero', 'argwhere', 'unique', 'unique_consecutive', 'masked_select', 'equal', 'allclose', 'bincount')
BATCH = 2  # of which all places are fewer than are parted by image before NMS


class Waits(overrides.TorchFunctionMode):
    """Notes what would wait for a GPU, if all tensors lay there that were not copied back."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter = Counter()
        self.copied: list[torch.Tensor] = []

    def __torch_function__(self, function, types, arguments=(), named=None):
        result = function(*arguments, **(named or {}))
        name = getattr(function, '__name__', '')
        if self._waits(name, arguments, named or {}):
            self.found[name] += 1
        if name == 'cpu' or (name == 'to' and 'cpu' in arguments):
            self.copied.append(result)
        return result

    def _waits(self, name, arguments, named) -> bool:
        devices = [one for one in (*arguments, *named.values()) if isinstance(one, (str, torch.device))]
        if name in ('to', 'cuda', 'copy_', 'tensor', 'as_tensor', 'new_tensor'):
            return (name == 'new_tensor' or bool(devices)) and not named.get('non_blocking')
        if name in VALUES:
            return not any(arguments[0] is one for one in self.copied)
        if name in ('__getitem__', '__setitem__'):
            index = arguments[1] if isinstance(arguments[1], tuple) else (arguments[1],)
            return any(isinstance(one, torch.Tensor) and one.dtype in (torch.bool, torch.uint8) for one in index)
        return name in COUNTS or name == 'cpu' or (name == 'where' and len(arguments) == 1)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """A detector takes batches; returns how often it waited for all of its stream."""
    waited = []
    stream = type('Stream', (), {'synchronize': lambda self: waited.append('all')})()
    monkeypatch.setattr(Detector, 'batched', True)
    monkeypatch.setattr(torch.cuda, 'current_stream', lambda: stream)
    return waited


@pytest.mark.parametrize(
    'config_file, waits',
    [
        # The places of each level, the scores, and what is left to be copied; NMS counts once more, in C++.
        (NANO, {'where': 3, 'nonzero': 1, 'cpu': 1}),
        # Boxes count for each class, and must not be too small.
        (YOLOV3, {'where': 3 + 1, 'nonzero': 2, 'cpu': 1}),
    ],
)
def test_a_batch_is_waited_for_where_numbers_of_boxes_must_be_known(tmp_path, as_on_a_gpu, config_file, waits):
    detector = detector_of(tmp_path, config_file, backend=TORCH)
    assert isinstance(detector.steps.head, ObjectnessHead)
    images = np.random.default_rng(1).integers(0, 256, (BATCH, 200, 300, 3), np.uint8)
    prepared = [detector.prepare(image) for image in images]
    with Waits() as watch:
        found = detector(prepared)
    assert [len(one.detections) > 5 and one.sound for one in found] == [True] * BATCH
    assert (watch.found, as_on_a_gpu) == (waits, ['all'])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_a_gpu_is_waited_for_no_more_often(tmp_path):
    """The five above and NMS; waiting for a whole stream is not counted."""
    detector = detector_of(tmp_path, NANO, gpu_ids=(0,))
    images = np.random.default_rng(1).integers(0, 256, (BATCH, 200, 300, 3), np.uint8)
    prepared = [detector.prepare(image) for image in images]
    detector.enter_thread()
    detector(prepared)
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter('always')
            detector(prepared)
    finally:
        torch.cuda.set_sync_debug_mode('default')
        torch.cuda.set_stream(torch.cuda.default_stream())
    waits = [str(one.message) for one in told if 'synchroniz' in str(one.message)]
    assert 1 <= len(waits) <= 6, waits


@pytest.mark.parametrize(
    'wait',
    [
        lambda one: one.sum().item(),
        lambda one: bool(one[0] > 0),
        lambda one: one[one > 1],
        lambda one: one.new_tensor([1.0]),
        lambda one: torch.tensor([1.0], device=one.device),
        lambda one: one.to('cpu'),
        lambda one: range(int(one[0])),
        lambda one: one.numpy(),
        lambda one: torch.where(one > 1),
    ],
)
def test_each_way_to_wait_is_seen(wait):
    with Waits() as watch:
        wait(torch.arange(4.0))
    assert sum(watch.found.values()) == 1
