"""How a detector takes batches apart: by shape on a GPU, image by image on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from executor.detections import HeadMap, no_detections
from executor.detector.detector import DenseSteps, Detector, Found
from executor.images.prepare import Prepared


class Finding:
    """Finds nothing in the outputs of a network that has a head of one level."""

    divisor = 1

    def detections(self, raw, images):
        return [no_detections() for _ in images]

    def head_maps(self, raw):
        return [HeadMap(raw[0][0], None)]


class Steps:
    """Notes the sizes of batches; the first pixel of an image is its number, which `input_size` then tells."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def forward(self, images):
        assert len({image.pixels.shape for image in images}) == 1
        self.batches.append(len(images))
        return [int(image.pixels[0, 0, 0]) for image in images]

    def find(self, raw, images):
        assert raw == [int(image.pixels[0, 0, 0]) for image in images]
        return [Found(no_detections(), input_size=(number, number)) for number in raw]


def images_of(*sides: int):
    return [Prepared(np.full((side, 2, 3), number, np.uint8), (2, side), (1, 1)) for number, side in enumerate(sides)]


@pytest.fixture
def cuda_calls(monkeypatch):
    """CUDA's calls that need a device do nothing, and are noted; each stream has a number."""
    calls = []

    class Stream:
        made = 0

        def __init__(self) -> None:
            Stream.made += 1
            self.name = f'stream {Stream.made}'

        def synchronize(self) -> None:
            calls.append('synchronize')

    monkeypatch.setattr(torch.cuda, 'set_device', calls.append)
    monkeypatch.setattr(torch.cuda, 'Stream', Stream)
    monkeypatch.setattr(torch.cuda, 'set_stream', lambda stream: calls.append(stream.name))
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: calls.append('all is there'))
    monkeypatch.setattr(torch.cuda, 'current_stream', Stream)
    return calls


@pytest.mark.parametrize(
    'device, sides, batches',
    [('cuda', [], []), ('cuda', [4, 4, 4], [3]), ('cuda', [4, 6, 4, 6, 4], [3, 2]), ('cpu', [4, 6, 4], [1, 1, 1])],
)
def test_a_batch_has_one_shape(cuda_calls, device, sides, batches):
    steps, images = Steps(), images_of(*sides)
    detector = Detector(steps, None, 'fake', 0.0, calls_at_once=1, device=torch.device(device))
    assert [found.input_size[0] for found in detector(images)] == list(range(len(sides)))
    assert sorted(steps.batches) == sorted(batches)
    assert cuda_calls == (['synchronize'] if device == 'cuda' else [])


def test_each_thread_has_the_gpu_of_the_detector_and_a_stream_of_its_own(cuda_calls):
    detector = Detector(Steps(), None, 'fake', 0.0, calls_at_once=2, device=torch.device('cuda:1'))
    for _ in range(2):
        detector.enter_thread()
    begin = [torch.device('cuda:1'), 'all is there']
    assert cuda_calls == [*begin, 'stream 1', *begin, 'stream 2']


def test_a_cpu_is_entered_as_it_is(cuda_calls):
    Detector(Steps(), None, 'fake', 0.0, calls_at_once=1, device=torch.device('cpu')).enter_thread()
    assert cuda_calls == []


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
@pytest.mark.parametrize('head_maps', [True, False])
def test_an_image_for_which_the_network_gives_nan_is_told_from_its_neighbours(dtype, head_maps):
    """Infinity alone is none: a head's `exp` may reach it where nothing is."""
    scores, boxes = torch.full((4, 2, 3, 3), 6e4, dtype=dtype), torch.zeros(4, 4, 3, 3, dtype=dtype)
    scores[1, 1, 2, 2] = torch.nan
    boxes[2, 0, 0, 0] = torch.nan
    boxes[3] = torch.inf
    steps = DenseSteps(Finding(), Finding(), head_maps)
    found = steps.find([[scores], [boxes], None], images_of(3, 3, 3, 3))
    assert [one.sound for one in found] == [True, False, False, True]
