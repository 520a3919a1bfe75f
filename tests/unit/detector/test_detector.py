"""How a detector takes batches apart: by shape on a GPU, and in halves where its memory ends."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from executor.detections import no_detections
from executor.detector.detector import Detector, Found
from executor.images.prepare import Prepared


class Steps:
    """Notes the sizes of batches; fails above `fits` as CUDA does."""

    def __init__(self, fits: int, words: str = 'CUDA out of memory. Tried to allocate 2 GiB') -> None:
        self.batches: list[int] = []
        self._fits = fits
        self._words = words

    def __call__(self, images, seconds):
        if len(images) > self._fits:
            raise RuntimeError(self._words)
        assert len({image.pixels.shape for image in images}) == 1
        self.batches.append(len(images))
        # The first pixel tells which image it was.
        return [Found(no_detections(), score=float(image.pixels[0, 0, 0])) for image in images]


def images_of(*sides: int):
    return [Prepared(np.full((side, 2, 3), number, np.uint8), (2, side), (1, 1)) for number, side in enumerate(sides)]


def detector_of(steps, monkeypatch, device='cuda'):
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: None)
    monkeypatch.setattr(torch.cuda, 'empty_cache', lambda: None)
    return Detector(steps, None, 'fake', 0.0, threads=1, device=torch.device(device))


@pytest.mark.parametrize(
    'device, sides, batches',
    [
        ('cuda', [], []),
        ('cuda', [4, 4, 4], [3]),
        ('cuda', [4, 6, 4, 6, 4], [3, 2]),
        ('cpu', [4, 6, 4], [1, 1, 1]),
    ],
)
def test_a_batch_has_one_shape(monkeypatch, device, sides, batches):
    steps = Steps(fits=9)
    found = detector_of(steps, monkeypatch, device).detect(images_of(*sides))
    assert [one.score for one in found] == list(range(len(sides)))
    assert sorted(steps.batches) == sorted(batches)


@pytest.mark.parametrize(
    'fits, first, second', [(8, [8], [8]), (4, [4, 4], [4, 4]), (3, [2] * 4, [2] * 4), (1, [1] * 8, [1] * 8)]
)
def test_memory_that_ends_halves_the_batch_from_then_on(monkeypatch, caplog, fits, first, second):
    steps = Steps(fits)
    detector = detector_of(steps, monkeypatch)
    with caplog.at_level(logging.WARNING):
        found = detector.detect(images_of(*[4] * 8))
    assert [one.score for one in found] == list(range(8))
    assert steps.batches == first
    assert caplog.text.count('out of GPU memory') == {8: 0, 4: 1, 3: 2, 1: 3}[fits]
    steps.batches.clear()
    detector.detect(images_of(*[4] * 8))
    assert steps.batches == second
    assert caplog.text.count('out of GPU memory') == {8: 0, 4: 1, 3: 2, 1: 3}[fits]


@pytest.mark.parametrize('fits, words', [(0, 'CUDA out of memory.'), (1, 'cuDNN error')])
def test_what_halving_does_not_help_is_raised(monkeypatch, fits, words):
    with pytest.raises(RuntimeError, match=words):
        detector_of(Steps(fits, words), monkeypatch).detect(images_of(4, 4))
