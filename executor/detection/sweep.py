"""The one loop over the candidates: this rank's share, decoded ahead, detected in batches, in index order."""

from __future__ import annotations

import collections
import logging
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Deque, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from executor import dist
from executor.contract.progress import ProgressPart
from executor.images.loader import Batch, ImageLoader, Loaded
from executor.log import duration

logger = logging.getLogger(__name__)

_LOG_SECONDS = 5.0
_IN_WORK = 2  # batches the detector has at a time, so that it goes on while results are written
_BROKEN_NAMED = 10


class Outcome(NamedTuple):
    """One candidate, swept.

    Attributes:
        position: in the index.
        size: (width, height) of the image; None where it cannot be decoded.
        found: what the detector found; None where the image cannot be decoded.
    """

    position: int
    size: Optional[Tuple[int, int]]
    found: Any


@dataclass
class Tally:
    """What a sweep did: counts, seconds of the whole, and seconds of each kind of work summed over who did it."""

    images: int = 0
    broken: int = 0
    first_broken: List[Tuple[int, str]] = field(default_factory=list)  # position and why
    seconds: float = 0.0
    decode: float = 0.0
    prepare: float = 0.0
    network: float = 0.0
    post_processing: float = 0.0
    scoring: float = 0.0
    waited: float = 0.0  # of the detector, for images

    def merged(self, others: Sequence[Tally]) -> Tally:
        """This and the other ranks' as one: sums, but of the whole time the longest, of waiting the mean."""
        every = [self, *others]
        kinds = ('images', 'broken', 'decode', 'prepare', 'network', 'post_processing', 'scoring')
        sums = {kind: sum(getattr(tally, kind) for tally in every) for kind in kinds}
        first = sorted(broken for tally in every for broken in tally.first_broken)[:_BROKEN_NAMED]
        waited = sum(tally.waited for tally in every) / len(every)
        return Tally(first_broken=first, seconds=max(tally.seconds for tally in every), waited=waited, **sums)


class Sweep:
    """Iterates over the `Outcome` of every candidate that is this rank's, in index order.

    Of W ranks, rank r has positions r, r + W, ...: each exactly once, whatever the number.

    Args:
        paths: the whole index.
        detector: an `executor.detector.detector.Detector`.
        batch_size: images the detector gets at a time.
        workers: processes that decode and prepare ahead.
        progress: told the share of this rank's images that is done.
        after: what is done with images and what was found in them, in the detector's threads; its result takes the
            place of what was found.
        keep_images: whether `after` gets the decoded images.

    Attributes:
        positions: this rank's.
        tally: what was done so far.
    """

    def __init__(
        self,
        paths: Sequence[str],
        detector: Any,
        batch_size: int,
        workers: int,
        progress: ProgressPart,
        after: Optional[Callable[[List[Loaded], List[Any]], List[Any]]] = None,
        keep_images: bool = False,
    ) -> None:
        self._after = after
        self._count = len(paths)
        self.positions = range(dist.rank(), len(paths), dist.world_size())
        self._detector = detector
        self._progress = progress
        self._loader = ImageLoader(paths, self.positions, detector.prepare, batch_size, workers, _IN_WORK, keep_images)
        self.tally = Tally()

    def __iter__(self) -> Iterator[Outcome]:
        started = time.monotonic()
        log = _RateLog(len(self.positions), self._count, started)
        in_work: Deque[Tuple[Batch, Any]] = collections.deque()
        for batch in self._loader:
            in_work.append((batch, self._submit([loaded for loaded in batch.images if loaded.error is None])))
            if len(in_work) == _IN_WORK:
                yield from self._finish(*in_work.popleft(), started, log)
        while in_work:
            yield from self._finish(*in_work.popleft(), started, log)

    def _submit(self, loaded: List[Loaded]) -> Any:
        images = [one.prepared for one in loaded]
        after = self._after
        if after is None:
            return self._detector.submit(images)
        return self._detector.submit(images, lambda numbers, found: after([loaded[n] for n in numbers], found))

    def _finish(self, batch: Batch, pending: Any, started: float, log: _RateLog) -> Iterator[Outcome]:
        found = iter(pending.result())
        for loaded in batch.images:
            if loaded.error is None:
                yield Outcome(loaded.position, loaded.prepared.size, next(found))
            else:
                self._count_broken(loaded.position, loaded.error)
                yield Outcome(loaded.position, None, None)
        batch.release()
        self.tally.images += len(batch.images)
        self._tell(started)
        log.update(self.tally.images)

    def _count_broken(self, position: int, error: str) -> None:
        self.tally.broken += 1
        if len(self.tally.first_broken) < _BROKEN_NAMED:
            self.tally.first_broken.append((position, error))

    def _tell(self, started: float) -> None:
        tally, detector = self.tally, self._detector
        tally.seconds = time.monotonic() - started
        tally.decode, tally.prepare = self._loader.decode_seconds, self._loader.prepare_seconds
        tally.network, tally.post_processing = detector.seconds.of('network'), detector.seconds.of('post-processing')
        tally.scoring = detector.seconds.of('scoring')
        busy = (tally.network + tally.post_processing + tally.scoring) / detector.threads
        tally.waited = max(0.0, tally.seconds - busy)
        self._progress.update(tally.images / len(self.positions))


class _RateLog:
    """A line every few seconds. Ranks have equal shares, so rank 0's numbers times their count are about the task's."""

    def __init__(self, count: int, total: int, started: float) -> None:
        self._count = count
        self._total = total
        self._started = self._logged_at = started

    def update(self, done: int) -> None:
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


def describe_time(tally: Tally) -> str:
    """Where the time went, an image: work that several processes or threads share is summed over them."""
    sound = max(1, tally.images - tally.broken)
    kinds = (
        ('decode', tally.decode),
        ('resize', tally.prepare),
        ('network', tally.network),
        ('post-processing', tally.post_processing),
        ('scoring', tally.scoring),
    )
    told = ', '.join(f'{kind} {1e3 * seconds / sound:.2f} ms' for kind, seconds in kinds if seconds)
    waited = 100 * tally.waited / max(1e-9, tally.seconds)
    return f'{told} an image; the detector waited for images {waited:.0f}% of the time'
