"""Detect and score: what is worked on together, and views that memory has no room for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from executor.detection.statistics import Stopwatch
from executor.detection.work import DetectAndScore
from executor.detections import Detections, HeadMap
from executor.detector.detector import Detector, Found
from executor.images.loader import LoadedImage
from executor.images.look import look
from executor.images.prepare import Prepared
from mining.base import View
from mining.catalog import ALGORITHMS, Needs, Settings, make_scorer


class Steps:
    """Finds one box, and a head map of the input's shape that is all of the image's number; `fits` images at most."""

    def __init__(self, fits: int = 100) -> None:
        self.batches: list[int] = []
        self._fits = fits

    def forward(self, images):
        if len(images) > self._fits:
            raise RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')
        self.batches.append(len(images))
        return images

    def find(self, raw, images):
        return [self._found(image) for image in raw]

    def _found(self, image):
        height, width = image.pixels.shape[:2]
        logits = torch.zeros(1, 1, 1, height // 8, width // 8)
        logits[..., 0] = float(image.pixels[0, 0, 0])
        box = np.array([[1, 1, 5, 5]], np.float32)
        detections = Detections(box, np.array([0.5], np.float32), np.zeros(1, np.int64), np.array([[0.5]], np.float32))
        return Found(detections, (HeadMap(logits, None),), (height, width))


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """CUDA's calls that need a device do nothing."""

    class Stream:
        def synchronize(self) -> None:
            pass

    monkeypatch.setattr(torch.cuda, 'current_stream', Stream)
    monkeypatch.setattr(torch.cuda, 'empty_cache', lambda: None)


def detector_of(steps: Steps, device: str) -> Detector:
    def prepare(image, out=None):
        return Prepared(image, image.shape[1::-1], (1.0, 1.0))

    return Detector(steps, prepare, 'fake', 0.0, calls_at_once=1, device=torch.device(device))


def images_of(*sizes: tuple[int, int]) -> list[LoadedImage]:
    """Images of these heights and widths; each pixel is the image's number from 1."""
    pixels = [np.full((*size, 3), number, np.uint8) for number, size in enumerate(sizes, start=1)]
    return [
        LoadedImage(position, Prepared(image, image.shape[1::-1], (1.0, 1.0)), image=image)
        for position, image in enumerate(pixels)
    ]


@pytest.mark.parametrize('algorithm', ['aldd', 'cald', 'entropy'])
def test_images_of_other_shapes_are_scored_apart_and_as_one_by_one(algorithm):
    images = images_of((64, 96), (96, 64), (64, 96), (96, 64), (32, 32))
    scores = {}
    for device in ('cuda', 'cpu'):
        scorer = make_scorer(algorithm, Settings())
        work = DetectAndScore(detector_of(Steps(), device), scorer, ALGORITHMS[algorithm])
        units = work.units(images)
        assert sorted(map(len, units)) == ([1, 2, 2] if device == 'cuda' else [1] * 5)
        scores[device] = {
            one.position: result.score for unit in units for one, result in zip(unit, work(unit, Stopwatch()))
        }
    assert scores['cuda'] == pytest.approx(scores['cpu'])
    assert set(scores['cpu']) == set(range(5))


def test_what_a_score_is_made_of_comes_with_it():
    """In pixels of the image: the network sees it at half its width and twice its height."""
    image = images_of((64, 96))[0]
    image = image._replace(prepared=image.prepared._replace(scale=(0.5, 2.0)))
    for algorithm in ('aldd', 'cald', 'entropy'):
        work = DetectAndScore(detector_of(Steps(), 'cpu'), make_scorer(algorithm, Settings()), ALGORITHMS[algorithm])
        (result,) = work([image], Stopwatch())
        assert result.why.score == result.score and len(result.counted) == 1
        if algorithm == 'aldd':
            assert result.why.heat.cell == (64, 16) and result.why.heat.values.shape == (2, 3)
            assert result.why.heat.values.mean() == result.score
    random = DetectAndScore(None, make_scorer('random', Settings()), ALGORITHMS['random'])
    (result,) = random([image], Stopwatch())
    assert (result.why, len(result.counted)) == (None, 0) and 0 <= result.score < 1


def test_looks_come_where_they_are_asked_for():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    for detector, algorithm in ((detector_of(Steps(), 'cpu'), 'entropy'), (None, 'random')):
        for asked in (True, False):
            scorer = make_scorer(algorithm, Settings())
            work = DetectAndScore(detector, scorer, ALGORITHMS[algorithm], looks=asked)
            (result,) = work([LoadedImage(0, work.prepare(pixels))], Stopwatch())
            assert (result.look is not None) == asked
            if asked:
                np.testing.assert_array_equal(result.look, look(pixels))


def test_without_a_detector_images_are_only_counted():
    work = DetectAndScore(None, make_scorer('random', Settings(seed=1)), ALGORITHMS['random'])
    images = images_of((8, 8), (16, 8))
    assert work.units(images) == [images]
    assert work.units([]) == []
    results = work(images, Stopwatch())
    assert [len(result.detections) for result in results] == [0, 0]
    assert len({result.score for result in results}) == 2


@pytest.mark.parametrize('fits, batches', [(4, [1, 4]), (3, [1, 2, 2]), (1, [1, 1, 1, 1, 1])])
def test_views_that_memory_has_no_room_for_are_detected_in_halves(fits, batches):
    """Also those of a single image, which the sweep cannot part."""

    class Copies:
        def make_views(self, image, detections, position):
            return [View(image, detections.boxes) for _ in range(4)]

        def score(self, candidates):
            return np.array([len(views) for views in candidates.views], np.float64)

    steps = Steps(fits)
    work = DetectAndScore(detector_of(steps, 'cuda'), Copies(), Needs(detections=True, views=True))
    (result,) = work(images_of((8, 8)), Stopwatch())
    assert result.score == 4
    assert steps.batches == batches
