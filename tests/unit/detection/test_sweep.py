"""The loop over the candidates: every one once and in order, counted, timed, in little memory."""

from __future__ import annotations

import logging
from typing import Any, Sequence

import cv2
import numpy as np
import pytest

from executor import dist
from executor.contract.progress import Progress, ProgressPart, silent_progress
from executor.images.prepare import Prepared
from executor.detection.sweep import Outcome, Sweep, Tally, describe_time
from tests.support.peak_memory import peak_memory


class Copied:
    """Prepares an image by copying it."""

    largest = 8 * 8 * 3

    def __call__(self, image: np.ndarray, out: np.ndarray | None = None) -> Prepared:
        pixels = out[: image.size].reshape(image.shape)
        pixels[:] = image
        return Prepared(pixels, (image.shape[1], image.shape[0]), (1.0, 1.0))


class Looking:
    """A detector that finds the first pixel of an image, when it is asked for the result and not before."""

    threads = 2

    def __init__(self, **seconds: float) -> None:
        self.prepare = Copied()
        self.seconds = self
        self.batches: list[int] = []
        self.waiting = self.most_waiting = 0
        self._seconds = seconds

    def of(self, kind: str) -> float:
        return self._seconds.get(kind.replace('-', '_'), 0.0)

    def submit(self, images: Sequence[Prepared], then: Any = None) -> Pending:
        self.batches.append(len(images))
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        return Pending(self, images, then)


class Pending:
    def __init__(self, detector: Looking, images: Sequence[Prepared], then: Any) -> None:
        self._detector = detector
        self._images = images
        self._then = then

    def result(self) -> list[Any]:
        self._detector.waiting -= 1
        found: list[Any] = [int(image.pixels[0, 0, 0]) for image in self._images]
        if self._then is not None:
            numbers = range(len(found))
            for group in (numbers[1::2], numbers[::2]):  # in parts and in any order, as detectors may
                for number, one in zip(group, self._then(group, [found[number] for number in group])):
                    found[number] = one
        return found


@pytest.fixture(scope='module')
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """20 images of 8 x (position + 1) pixels and less, the position in each pixel."""
    folder = tmp_path_factory.mktemp('images')
    names = [str(folder / f'{position}.png') for position in range(20)]
    for position, name in enumerate(names):
        cv2.imwrite(name, np.full((8, position % 8 + 1, 3), position, np.uint8))
    return names


@pytest.fixture
def be_rank(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call with (rank, world size) to be one of several ranks."""

    def be(rank: int, world_size: int) -> None:
        monkeypatch.setattr(dist, 'rank', lambda: rank)
        monkeypatch.setattr(dist, 'world_size', lambda: world_size)

    return be


def quiet() -> ProgressPart:
    return silent_progress().part(0, 1)


def expected_of(position: int) -> Outcome:
    return Outcome(position, (position % 8 + 1, 8), position)


def without(paths: Sequence[str], broken: Sequence[int], folder: Any) -> list[str]:
    """The index with files that are no images at some positions."""
    names = list(paths)
    for position in broken:
        names[position] = str(folder / f'broken-{position}.jpg')
        (folder / f'broken-{position}.jpg').write_text('no image')
    return names


# --- order and shares -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('count', [0, *range(1, 12)])
@pytest.mark.parametrize('world_size', [1, 2, 3, 4])
def test_every_position_once_over_all_ranks(paths, be_rank, count, world_size):
    outcomes = []
    for rank in range(world_size):
        be_rank(rank, world_size)
        sweep = Sweep(paths[:count], Looking(), 2, 0, quiet())
        here = list(sweep)
        assert [outcome.position for outcome in here] == list(range(rank, count, world_size)) == list(sweep.positions)
        assert sweep.tally.images == len(here)
        outcomes += here
    assert sorted(outcomes) == [expected_of(position) for position in range(count)]


@pytest.mark.parametrize('workers', [0, 1, 2])
@pytest.mark.parametrize('batch_size', [1, 3, 50])
@pytest.mark.parametrize('world_size', [1, 3])
def test_whatever_workers_and_batches(paths, be_rank, world_size, batch_size, workers):
    outcomes = []
    for rank in range(world_size):
        be_rank(rank, world_size)
        detector = Looking()
        here = list(Sweep(paths, detector, batch_size, workers, quiet()))
        assert max(detector.batches) <= batch_size
        assert sum(detector.batches) == len(here)
        assert detector.most_waiting <= 2  # pixels of more are not kept
        outcomes += here
    assert sorted(outcomes) == [expected_of(position) for position in range(20)]


def test_the_detector_has_the_next_batch_while_results_are_taken(paths):
    detector = Looking()
    outcomes = iter(Sweep(paths, detector, 4, 0, quiet()))
    assert next(outcomes) == expected_of(0)
    assert detector.batches == [4, 4]


# --- what is done with what was found -------------------------------------------------------------------------------


@pytest.mark.parametrize('keep_images', [False, True])
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('broken', [[], [1, 2], range(3, 9)], ids=str)
def test_what_comes_after_takes_the_place_of_what_was_found(tmp_path, paths, broken, workers, keep_images):
    def after(loaded: Sequence[Any], found: Sequence[int]) -> list[tuple[str, int]]:
        for one in loaded:
            image = np.full((8, one.position % 8 + 1, 3), one.position, np.uint8)
            np.testing.assert_array_equal(one.prepared.pixels, image)
            if keep_images:
                np.testing.assert_array_equal(one.image, image)
            else:
                assert one.image is None
        assert [one.position for one in loaded] == list(found)
        return [('seen', position) for position in found]

    sweep = Sweep(without(paths, broken, tmp_path), Looking(), 3, workers, quiet(), after, keep_images)
    assert [outcome.found for outcome in sweep] == [
        None if position in broken else ('seen', position) for position in range(20)
    ]


# --- what cannot be decoded -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('broken', [[], [0], [19], [3, 4, 5], range(4, 16), range(20)], ids=str)
def test_what_cannot_be_decoded(tmp_path, paths, broken, workers):
    names = without(paths, broken, tmp_path)
    sweep = Sweep(names, Looking(), 3, workers, quiet())
    for position, outcome in enumerate(sweep):
        if position in broken:
            assert outcome == Outcome(position, None, None)
        else:
            assert outcome == expected_of(position)
    assert sweep.tally.images == 20
    assert sweep.tally.broken == len(broken)
    assert [position for position, _ in sweep.tally.first_broken] == list(broken)[:10]
    assert all(names[position] in error for position, error in sweep.tally.first_broken)


# --- progress and log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('broken', [[], [2, 19], range(20)], ids=str)
@pytest.mark.parametrize('batch_size', [1, 3, 50])
def test_progress_rises_to_its_end(tmp_path, paths, batch_size, broken):
    told: list[float] = []
    progress = Progress(told.append, interval=0).part(0.2, 1)
    list(Sweep(without(paths, broken, tmp_path), Looking(), batch_size, 0, progress))
    done = [min(20, batch_size * (number + 1)) for number in range(-(-20 // batch_size))]
    assert told == pytest.approx([0.2 + 0.8 * images / 20 for images in done])
    assert told == sorted(told) and told[-1] == 1


@pytest.mark.parametrize('count', [1, 20])
def test_the_last_line_of_the_log_tells_of_all(paths, caplog, count):
    caplog.set_level(logging.INFO, 'executor')
    list(Sweep(paths[:count], Looking(), 3, 0, quiet()))
    (line,) = caplog.messages
    assert line.startswith(f'{count} of {count} images, ') and line.endswith(' images/s, 0s left')


def test_the_log_of_several_ranks_tells_of_all_images(paths, be_rank, caplog):
    caplog.set_level(logging.INFO, 'executor')
    be_rank(0, 4)
    list(Sweep(paths[:10], Looking(), 3, 0, quiet()))
    assert caplog.messages[-1].startswith('10 of 10 images, ')


# --- tally ----------------------------------------------------------------------------------------------------------


def test_the_tally_has_the_seconds_of_loader_and_detector(paths):
    sweep = Sweep(paths, Looking(network=1e-9, post_processing=2e-9, scoring=4e-9), 3, 0, quiet())
    list(sweep)
    tally = sweep.tally
    assert (tally.network, tally.post_processing, tally.scoring) == (1e-9, 2e-9, 4e-9)
    assert tally.decode > 0 and tally.prepare > 0
    assert tally.decode + tally.prepare < tally.seconds
    assert tally.waited == pytest.approx(tally.seconds - 7e-9 / 2, abs=1e-15)


def test_a_detector_that_is_always_busy_never_waited(paths):
    sweep = Sweep(paths, Looking(network=1e6), 3, 0, quiet())
    list(sweep)
    assert sweep.tally.waited == 0


def tally_of(images: int, broken: Sequence[int] = (), **more: float) -> Tally:
    return Tally(images, len(broken), [(position, f'image {position}') for position in broken], **more)


@pytest.mark.parametrize(
    'tally, others, expected',
    [
        (Tally(), [], Tally()),
        (Tally(), [Tally()], Tally()),
        (tally_of(3, [1]), [], tally_of(3, [1])),
        (tally_of(3, [4], seconds=5.0), [tally_of(2, [1, 7], seconds=9.0)], tally_of(5, [1, 4, 7], seconds=9.0)),
        (
            tally_of(30, [0, 2, 4, 6, 8], decode=1.0, prepare=2.0, network=4.0, scoring=2.0, seconds=3.0),
            [
                tally_of(30, [1, 3, 5], decode=0.5, prepare=0.25, network=0.125, post_processing=0.5, waited=0.75),
                tally_of(29, [7, 9, 10, 11], decode=8.0, prepare=8.0, network=8.0, scoring=0.5, seconds=2.0),
            ],
            Tally(
                images=89,
                broken=12,
                first_broken=[(position, f'image {position}') for position in range(10)],
                seconds=3.0,
                decode=9.5,
                prepare=10.25,
                network=12.125,
                post_processing=0.5,
                scoring=2.5,
                waited=0.25,
            ),
        ),
    ],
    ids=['nothing', 'two of nothing', 'alone', 'two', 'three'],
)
def test_merged(tally, others, expected):
    assert tally.merged(others) == expected


def test_merged_counts_the_broken_that_are_not_named():
    ten = tally_of(20, range(10))
    ten.broken = 15  # five more were not named
    assert ten.merged([tally_of(20, range(100, 110))]).broken == 25


@pytest.mark.parametrize(
    'tally, expected',
    [
        (
            Tally(images=4, seconds=1, decode=0.004, scoring=0.016, waited=0.5),  # no network
            'decode 1.00 ms, scoring 4.00 ms an image; the detector waited for images 50% of the time',
        ),
        (
            Tally(
                images=12, broken=2, seconds=8, decode=0.05, prepare=0.0234, network=0.4, post_processing=1, waited=2
            ),
            'decode 5.00 ms, resize 2.34 ms, network 40.00 ms, post-processing 100.00 ms an image; '
            'the detector waited for images 25% of the time',
        ),
        (
            Tally(images=3, broken=3, seconds=1, network=0.001, waited=1),
            'network 1.00 ms an image; the detector waited for images 100% of the time',
        ),
    ],
    ids=['no network', 'numbers', 'all broken'],
)
def test_describe_time(tally, expected):
    assert describe_time(tally) == expected


def test_nothing_takes_no_time():
    assert describe_time(Tally()).endswith('an image; the detector waited for images 0% of the time')


def test_ranks_that_each_waited_half_of_the_time_waited_half_of_the_time():
    ranks = [Tally(images=10, seconds=8.0, waited=4.0) for _ in range(3)]
    assert describe_time(ranks[0].merged(ranks[1:])).endswith('waited for images 50% of the time')


# --- memory ---------------------------------------------------------------------------------------------------------

SWEEP = """
import sys
from pathlib import Path
from executor.contract.index import read_candidate_index
from executor.contract.output.parts import PartWriter
from executor.detection.sweep import Sweep
from tests.unit.detection.test_sweep import Looking, quiet

class Forgetful(Looking):
    def submit(self, images, then=None):
        pending = super().submit(images, then)
        self.batches.clear()
        return pending

folder, count = Path(sys.argv[1]), int(sys.argv[2])
index = read_candidate_index(folder / f'{count}.tsv')
assert len(index) == count
sweep = Sweep(index, Forgetful(), 32, 2, quiet())
with PartWriter(folder, 'infer', 0) as part:
    for outcome in sweep:
        assert outcome.found == outcome.position % 20
        part.write(outcome.position, f'[{outcome.found}]')
assert sweep.tally.images == count
"""


@pytest.mark.slow
def test_many_candidates_take_little_memory(tmp_path, paths):
    peaks = []
    for count in (1000, 200_000):
        with (tmp_path / f'{count}.tsv').open('w') as stream:
            stream.writelines(paths[position % 20] + '\n' for position in range(count))
        peaks.append(peak_memory(SWEEP, tmp_path, count))
    assert 1 < peaks[1] - peaks[0] < 10  # MB; 2.4 of them are the index, asked for are at most 200 a million
