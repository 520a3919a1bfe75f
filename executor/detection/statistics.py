"""Count what a sweep did, and the time it took, by kind of work."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Sequence, Tuple

_BROKEN_NAMED = 10

NETWORK, FINDING, SCORING = 'network', 'post-processing', 'scoring'  # kinds of work, as the log names them
DECODING, PREPARING = 'decode', 'resize'
_KINDS = (DECODING, PREPARING, NETWORK, FINDING, SCORING)  # in the order that an image goes through


class Stopwatch:
    """Seconds by kind of work, summed over the threads that do it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seconds: Dict[str, float] = dict.fromkeys(_KINDS, 0.0)

    @contextlib.contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Add the time that the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[kind] += time.perf_counter() - started


@dataclass
class Statistics:
    """Counts and times of a sweep."""

    images: int = 0
    broken: int = 0  # of them, those that cannot be decoded
    first_broken: List[Tuple[int, str]] = field(default_factory=list)  # position in the index, and why
    unsound: int = 0  # those for which the network gave NaN
    seconds: float = 0.0  # of the whole
    work: Dict[str, float] = field(default_factory=dict)  # seconds of each kind, summed over those who did it
    waited: float = 0.0  # seconds of the detector, for images

    def count_broken(self, position: int, reason: str) -> None:
        """Count an image that cannot be decoded."""
        self.broken += 1
        if len(self.first_broken) < _BROKEN_NAMED:
            self.first_broken.append((position, reason))

    def describe_time(self) -> str:
        """Tell where the time went, an image: work that several processes or threads share is summed over them."""
        sound = max(1, self.images - self.broken)
        told = [f'{kind} {1e3 * self.work[kind] / sound:.2f} ms' for kind in _KINDS if self.work.get(kind)]
        waited = 100 * self.waited / max(1e-9, self.seconds)
        return f'{", ".join(told)} an image; the detector waited for images {waited:.0f}% of the time'


def merged(ranks: Sequence[Statistics]) -> Statistics:
    """Make the ranks' statistics one: sums, but of the whole time the longest, of waiting the mean."""
    return Statistics(
        images=sum(rank.images for rank in ranks),
        broken=sum(rank.broken for rank in ranks),
        first_broken=sorted(broken for rank in ranks for broken in rank.first_broken)[:_BROKEN_NAMED],
        unsound=sum(rank.unsound for rank in ranks),
        seconds=max(rank.seconds for rank in ranks),
        work={kind: sum(rank.work.get(kind, 0.0) for rank in ranks) for kind in _KINDS},
        waited=sum(rank.waited for rank in ranks) / len(ranks),
    )
