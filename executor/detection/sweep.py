"""Run one function over the candidates: this rank's share, decoded ahead, in threads, results in index order."""

from __future__ import annotations

import collections
import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Deque, List, NamedTuple, Optional, Protocol, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from executor import dist
from executor.contract.progress import ProgressPart
from executor.detection.halving import Halving
from executor.detection.statistics import DECODING, FINDING, NETWORK, PREPARING, SCORING, Statistics, Stopwatch
from executor.detections import Detections, no_detections
from executor.images.loader import ImageLoader, LoadedBatch, LoadedImage
from executor.images.prepare import Preparation, Size
from executor.log import duration
from mining.base import Explanation

logger = logging.getLogger(__name__)

_LOG_SECONDS = 5.0
_BATCHES_IN_WORK = 2  # so that the threads go on while results are written


class Result(NamedTuple):
    """The outcome of the work on one image."""

    detections: Detections
    score: Optional[float] = None  # mining's; None where nobody mines
    sound: bool = True  # False where the network gave NaN, which hides boxes
    counted: Detections = no_detections()  # of the detections, those that the score is about
    why: Optional[Explanation] = None  # of the score, where the algorithm says it
    look: Optional[NDArray[np.int8]] = None  # of the image, where mining varies


class Outcome(NamedTuple):
    """One candidate, swept; without size and result where it cannot be decoded."""

    position: int  # in the index
    size: Optional[Size]  # (width, height) of the image
    result: Optional[Result]


_Begun = Tuple[List[LoadedImage], 'Future[List[Result]]']  # what a thread works on, and the results to come


class Work(Protocol):
    """The function that a sweep runs, composed by the task."""

    prepare: Preparation  # of the images it gets
    calls_at_once: int  # threads that should run it
    keep_images: bool  # whether it wants the decoded images, too

    def enter_thread(self) -> None:
        """Make the calling thread ready to call it."""
        ...

    def units(self, images: Sequence[LoadedImage]) -> List[List[LoadedImage]]:
        """Part a batch into what one call gets."""
        ...

    def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> List[Result]:
        """Work on images that could be decoded; a result each, in their order."""
        ...


class Sink(Protocol):
    """A place for outcomes, which come in index order."""

    def write(self, outcome: Outcome) -> None:
        """Take one outcome."""
        ...

    def finish(self) -> None:
        """Make the task's result of what all ranks wrote; called on every rank when all is written."""
        ...

    def show(self) -> None:
        """Show people what was found; called on rank 0 when the results of all sinks are there."""
        ...


def share_of_rank(count: int) -> range:
    """Give this rank's positions in an index: of W ranks, rank r has r, r + W, ...: each exactly once."""
    return range(dist.rank(), count, dist.world_size())


def sweep(
    paths: Sequence[str], work: Work, sinks: Sequence[Sink], batch_size: int, workers: int, progress: ProgressPart
) -> Statistics:
    """Work on every image of this rank's share and write the outcomes; returns what this rank did.

    What GPU memory has no room for at once is worked on in halves.

    Args:
        paths: the whole index.
        work: runs in threads of this sweep.
        sinks: each gets every outcome, in this thread; the caller finishes them.
        batch_size: images that are loaded together.
        workers: processes that decode and prepare ahead.
        progress: of this rank's share.
    """
    positions = share_of_rank(len(paths))
    loader = ImageLoader(
        paths, positions, work.prepare, batch_size, workers, held=_BATCHES_IN_WORK, keep_images=work.keep_images
    )
    statistics, stopwatch, started = Statistics(), Stopwatch(), time.monotonic()
    log = _RateLog(len(positions), len(paths), started)
    in_work: Deque[Tuple[LoadedBatch, List[_Begun]]] = collections.deque()
    halving: Halving[LoadedImage, Result] = Halving(work)

    def finish(batch: LoadedBatch, begun: Sequence[_Begun]) -> None:
        results = {one.position: result for unit, future in begun for one, result in zip(unit, future.result())}
        for loaded in batch.images:
            if loaded.prepared is None:
                statistics.count_broken(loaded.position, loaded.error or '')
                outcome = Outcome(loaded.position, None, None)
            else:
                outcome = Outcome(loaded.position, loaded.prepared.size, results[loaded.position])
                statistics.unsound += not results[loaded.position].sound
            for sink in sinks:
                sink.write(outcome)
        batch.release()
        statistics.images += len(batch.images)
        statistics.seconds = time.monotonic() - started
        progress.update(statistics.images / len(positions))
        log.update(statistics.images)

    with ThreadPoolExecutor(work.calls_at_once, 'detector', work.enter_thread) as pool:
        for batch in loader:
            units = work.units([loaded for loaded in batch.images if loaded.error is None])
            in_work.append((batch, [(unit, pool.submit(halving, unit, stopwatch)) for unit in units]))
            if len(in_work) == _BATCHES_IN_WORK:
                finish(*in_work.popleft())
        while in_work:
            finish(*in_work.popleft())
    seconds = stopwatch.seconds
    statistics.work = {**seconds, DECODING: loader.decode_seconds, PREPARING: loader.prepare_seconds}
    busy = (seconds[NETWORK] + seconds[FINDING] + seconds[SCORING]) / work.calls_at_once
    statistics.waited = max(0.0, statistics.seconds - busy)
    return statistics


class _RateLog:
    """A line every few seconds. Ranks have equal shares, so rank 0's numbers times their count are about the task's."""

    def __init__(self, count: int, total: int, started: float) -> None:
        self._count = count
        self._total = total
        self._started = self._logged_at = started

    def update(self, done: int) -> None:
        """Log where it is time, or where all is done."""
        now = time.monotonic()
        if now - self._logged_at < _LOG_SECONDS and done < self._count:
            return
        self._logged_at = now
        rate = done / max(1e-9, now - self._started)
        ranks = dist.world_size()
        logger.info(
            '%d of %d images, %.1f images/s, %s left',
            *(min(done * ranks, self._total), self._total, rate * ranks, duration((self._count - done) / rate)),
        )
