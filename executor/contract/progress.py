"""Tell the platform the progress of a task, as a fraction that never falls, at most every few seconds."""

from __future__ import annotations

import time
from typing import Callable


class Progress:
    """The progress of a task, told by calls of `tell(percent)`, with percent in 0..1 from `start`.

    Calls are `interval` seconds apart, so a loop may `update` for every image. Only the last, 1, is always told.
    """

    def __init__(
        self,
        tell: Callable[[float], None],
        interval: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        start: float = 0.0,
    ) -> None:
        self._tell = tell
        self._interval = interval
        self._clock = clock
        self._told_at = -float('inf')
        self._percent = start

    def update(self, fraction: float) -> None:
        """Note that `fraction` of the task is done; a smaller one than before counts as the one before, as does NaN."""
        if fraction > self._percent:
            self._percent = min(1.0, float(fraction))
        now = self._clock()
        if self._percent == 1.0 or now - self._told_at >= self._interval:
            self._told_at = now
            self._tell(self._percent)

    def part(self, start: float, end: float) -> ProgressPart:
        """Return the part of the task between two fractions, to be updated with fractions of its own."""
        return ProgressPart(self, start, end)


class ProgressPart:
    """A part of a `Progress`, whose 0 is `start` of the whole and whose 1 is `end`."""

    def __init__(self, whole: Progress, start: float, end: float) -> None:
        self._whole = whole
        self._start = start
        self._end = end

    def update(self, fraction: float) -> None:
        """Note that `fraction` of this part is done."""
        # min(fraction, 1.0), not min(1.0, fraction): NaN stays NaN.
        self._whole.update(self._start + (self._end - self._start) * min(fraction, 1.0))


def silent_progress() -> Progress:
    """Return a progress that tells nobody: for ranks other than 0."""
    return Progress(lambda percent: None)
