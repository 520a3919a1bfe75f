"""The loop over the candidates: every one once and in order, counted, timed, in little memory."""

from __future__ import annotations

import logging
import threading
import time
from itertools import product
from operator import attrgetter
from typing import Any, Sequence

import cv2
import numpy as np
import pytest

from executor import dist
from executor.contract.progress import Progress, ProgressPart, silent_progress
from executor.detection.statistics import DECODING, FINDING, NETWORK, PREPARING, SCORING, Statistics, Stopwatch, merged
from executor.detection.sweep import Outcome, Result, share_of_rank, sweep
from executor.detections import no_detections
from executor.images.loader import LoadedImage
from tests.support.copied import Copied
from tests.support.peak_memory import peak_memory


class Looking:
    """Work that finds the first pixel of an image, as its score."""

    def __init__(self, batched: bool = True, calls_at_once: int = 2, keep_images: bool = False) -> None:
        self.prepare = Copied()
        self.batched = batched
        self.calls_at_once = calls_at_once
        self.keep_images = keep_images
        self.batches: list[int] = []
        self.threads: set[int] = set()

    def enter_thread(self) -> None:
        self.threads.add(threading.get_ident())

    def units(self, images: Sequence[LoadedImage]) -> list[list[LoadedImage]]:
        return [list(images)] if self.batched and images else [[one] for one in images]

    def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> list[Result]:
        assert threading.get_ident() in self.threads
        self.batches.append(len(images))
        return [result_of(int(image.prepared.pixels[0, 0, 0])) for image in images]


class Listing:
    """A sink that keeps all outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def write(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def finish(self) -> None:
        raise AssertionError('the task finishes its sinks, not the sweep')


NOTHING = no_detections()
position_of = attrgetter('position')


def result_of(number: int) -> Result:
    return Result(NOTHING, float(number))


def swept(
    paths: Sequence[str], work: Looking, batch_size: int, workers: int, progress: ProgressPart | None = None
) -> tuple[list[Outcome], Statistics]:
    sink = Listing()
    statistics = sweep(paths, work, [sink], batch_size, workers, progress or silent_progress().part(0, 1))
    return sink.outcomes, statistics


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


def expected_of(position: int) -> Outcome:
    return Outcome(position, (position % 8 + 1, 8), result_of(position))


def without(paths: Sequence[str], broken: Sequence[int], folder: Any) -> list[str]:
    """The index with files that are no images at some positions."""
    names = list(paths)
    for position in broken:
        names[position] = str(folder / f'broken-{position}.jpg')
        (folder / f'broken-{position}.jpg').write_text('no image')
    return names


# --- order and shares -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'count, world_size, batched, batch_size, workers',
    [
        *product(range(12), (1, 2, 3, 4), [True], [2], [0]),
        *product([20], (1, 3), (False, True), (1, 3, 50), (0, 1, 2)),  # the outcomes do not depend on the last three
    ],
)
def test_every_position_once_over_all_ranks(paths, be_rank, count, world_size, batched, batch_size, workers):
    outcomes = []
    for rank in range(world_size):
        be_rank(rank, world_size)
        work, share = Looking(batched), list(range(rank, count, world_size))
        here, statistics = swept(paths[:count], work, batch_size, workers)
        assert [outcome.position for outcome in here] == list(share_of_rank(count)) == share
        assert max(work.batches, default=0) <= (batch_size if batched else 1)
        assert sum(work.batches) == statistics.images == len(here)
        outcomes += here
    assert sorted(outcomes, key=position_of) == [expected_of(position) for position in range(count)]


def test_the_next_batch_is_in_work_while_results_are_written_and_no_other(paths):
    """Pixels of more than two batches are not kept."""
    work, begun = Looking(), []

    class Watching(Listing):
        def write(self, outcome: Outcome) -> None:
            deadline = time.monotonic() + 10
            due = min(5, outcome.position // 4 + 2)
            while len(work.batches) < due and time.monotonic() < deadline:
                time.sleep(0.001)
            begun.append(len(work.batches))

    sweep(paths, work, [Watching()], 4, 0, silent_progress().part(0, 1))
    assert begun == [min(5, position // 4 + 2) for position in range(20)]


def test_every_sink_gets_every_outcome(paths):
    sinks = [Listing(), Listing()]
    sweep(paths, Looking(), sinks, 3, 0, silent_progress().part(0, 1))
    assert sinks[0].outcomes == sinks[1].outcomes == [expected_of(position) for position in range(20)]


# --- what the work gets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize('keep_images', [False, True])
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('broken', [[], [0], [19], [1, 2], [3, 4, 5], range(3, 9), range(4, 16), range(20)], ids=str)
def test_the_work_gets_what_could_be_decoded_and_the_rest_is_counted(tmp_path, paths, broken, workers, keep_images):
    class Comparing(Looking):
        def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> list[Result]:
            for one in images:
                image = np.full((8, one.position % 8 + 1, 3), one.position, np.uint8)
                np.testing.assert_array_equal(one.prepared.pixels, image)
                if keep_images:
                    np.testing.assert_array_equal(one.image, image)
                else:
                    assert one.image is None
            return super().__call__(images, stopwatch)

    names = without(paths, broken, tmp_path)
    outcomes, statistics = swept(names, Comparing(keep_images=keep_images), 3, workers)
    assert outcomes == [
        Outcome(position, None, None) if position in broken else expected_of(position) for position in range(20)
    ]
    assert (statistics.images, statistics.broken) == (20, len(broken))
    assert [position for position, _ in statistics.first_broken] == list(broken)[:10]
    assert all(names[position] in error for position, error in statistics.first_broken)


def test_images_for_which_the_network_gives_nan_are_counted(paths):
    class Overflowing(Looking):
        def __call__(self, images, stopwatch):
            return [result._replace(sound=result.score % 7 != 0) for result in super().__call__(images, stopwatch)]

    _, statistics = swept(paths, Overflowing(), 4, 0)
    assert (statistics.unsound, merged([statistics, statistics]).unsound) == (3, 6)


def test_an_image_without_its_result_ends_the_sweep(paths):
    class Forgetting(Looking):
        def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> list[Result]:
            return super().__call__(images, stopwatch)[:-1]

    with pytest.raises(KeyError):
        swept(paths, Forgetting(), 3, 0)


def test_a_failure_of_the_work_ends_the_sweep(paths):
    class Failing(Looking):
        def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> list[Result]:
            raise ValueError('no such thing')

    with pytest.raises(ValueError, match='no such thing'):
        swept(paths, Failing(), 3, 2)


@pytest.mark.parametrize('broken', [[], [1, 2]], ids=str)
def test_results_go_to_their_images_however_a_batch_is_parted(tmp_path, paths, broken):
    class Parted(Looking):
        def units(self, images: Sequence[LoadedImage]) -> list[list[LoadedImage]]:
            return [part for part in (list(images[1::2]), list(images[::2])) if part]

    outcomes, _ = swept(without(paths, broken, tmp_path), Parted(), 5, 0)
    assert [outcome.result and outcome.result.score for outcome in outcomes] == [
        None if position in broken else position for position in range(20)
    ]


# --- memory that ends -----------------------------------------------------------------------------------------------


class Filling(Looking):
    """Fails above `fits` images as CUDA does."""

    def __init__(self, fits: int, words: str = 'CUDA out of memory. Tried to allocate 2 GiB') -> None:
        super().__init__(batched=True, calls_at_once=1)
        self._fits = fits
        self._words = words

    def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> list[Result]:
        if len(images) > self._fits:
            raise RuntimeError(self._words)
        return super().__call__(images, stopwatch)


@pytest.mark.parametrize(
    'fits, batches, warnings', [(8, [8, 8, 4], 0), (4, [4, 4] * 2 + [4], 1), (3, [2] * 10, 2), (1, [1] * 20, 3)]
)
def test_memory_that_ends_halves_the_batch_from_then_on(paths, caplog, fits, batches, warnings):
    work = Filling(fits)
    with caplog.at_level(logging.WARNING):
        outcomes, _ = swept(paths, work, 8, 0)
    assert outcomes == [expected_of(position) for position in range(20)]
    assert work.batches == batches
    assert caplog.text.count('out of GPU memory') == warnings


@pytest.mark.parametrize('fits, words', [(0, 'CUDA out of memory.'), (1, 'cuDNN error')])
def test_what_halving_does_not_help_is_raised(paths, fits, words):
    with pytest.raises(RuntimeError, match=words):
        swept(paths, Filling(fits, words), 2, 0)


# --- progress and log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('broken', [[], [2, 19], range(20)], ids=str)
@pytest.mark.parametrize('batch_size', [1, 3, 50])
def test_progress_rises_to_its_end(tmp_path, paths, batch_size, broken):
    told: list[float] = []
    progress = Progress(told.append, interval=0).part(0.2, 1)
    swept(without(paths, broken, tmp_path), Looking(), batch_size, 0, progress)
    done = [min(20, batch_size * (number + 1)) for number in range(-(-20 // batch_size))]
    assert told == pytest.approx([0.2 + 0.8 * images / 20 for images in done])
    assert told == sorted(told) and told[-1] == 1


@pytest.mark.parametrize('count, ranks', [(1, 1), (20, 1), (10, 4)])
def test_the_last_line_of_the_log_tells_of_the_images_of_all_ranks(paths, be_rank, caplog, count, ranks):
    caplog.set_level(logging.INFO, 'executor')
    be_rank(0, ranks)
    swept(paths[:count], Looking(), 3, 0)
    (line,) = caplog.messages
    assert line.startswith(f'{count} of {count} images, ') and line.endswith(' images/s, 0s left')


# --- statistics -----------------------------------------------------------------------------------------------------


class Busy(Looking):
    """Says that it has worked for some seconds, whatever the clock says."""

    def __init__(self, **seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> list[Result]:
        stopwatch.seconds.update(self._seconds)
        return super().__call__(images, stopwatch)


def test_the_statistics_have_the_seconds_of_loader_and_work(paths):
    _, statistics = swept(paths, Busy(**{NETWORK: 1e-9, FINDING: 2e-9, SCORING: 4e-9}), 3, 0)
    work = statistics.work
    assert (work[NETWORK], work[FINDING], work[SCORING]) == (1e-9, 2e-9, 4e-9)
    assert work[DECODING] > 0 and work[PREPARING] > 0
    assert work[DECODING] + work[PREPARING] < statistics.seconds
    assert statistics.waited == pytest.approx(statistics.seconds - 7e-9 / 2, abs=1e-15)


def test_a_detector_that_is_always_busy_never_waited(paths):
    assert swept(paths, Busy(network=1e6), 3, 0)[1].waited == 0


# --- memory ---------------------------------------------------------------------------------------------------------

SWEEP = """
import sys
from pathlib import Path
from executor.contract.index import read_candidate_index
from executor.contract.output.parts import PartWriter
from executor.contract.progress import silent_progress
from executor.detection.sweep import sweep
from tests.unit.detection.test_sweep import Looking

class Forgetful(Looking):
    def __call__(self, images, stopwatch):
        self.batches.clear()
        return super().__call__(images, stopwatch)

class Part:
    def __init__(self, part):
        self.part = part

    def write(self, outcome):
        assert outcome.result.score == outcome.position % 20
        self.part.write(outcome.position, f'[{outcome.result.score}]')

folder, count = Path(sys.argv[1]), int(sys.argv[2])
index = read_candidate_index(folder / f'{count}.tsv')
assert len(index) == count
with PartWriter(folder, 'infer', 0) as part:
    assert sweep(index, Forgetful(), [Part(part)], 32, 2, silent_progress().part(0, 1)).images == count
"""


@pytest.mark.slow
def test_many_candidates_take_little_memory(tmp_path, paths):
    peaks = []
    for count in (1000, 200_000):
        with (tmp_path / f'{count}.tsv').open('w') as stream:
            stream.writelines(paths[position % 20] + '\n' for position in range(count))
        peaks.append(peak_memory(SWEEP, tmp_path, count))
    index = (tmp_path / '200000.tsv').stat().st_size / 1e6  # which is held whole, with 12 bytes an image beside it
    assert 1 < peaks[1] - peaks[0] - index < 10  # MB
