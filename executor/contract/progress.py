"""Progress of a task as a fraction that never falls, told to the platform at most every few seconds."""

from __future__ import annotations

import time
from typing import Callable


class Progress:
    """Turns fractions of a task, or of a part of it, into calls of `tell(percent)`, percent in 0..1.

    Calls are limited by time, so a loop may call `update` for every image. Only the last value, 1, is always told.
    """

    def __init__(
        self,
        tell: Callable[[float], None],
        interval: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        start: float = 0.0,
    ) -> None:
        """`start` is the percent that was told before."""
        self._tell = tell
        self._interval = interval
        self._clock = clock
        self._told_at = -float('inf')
        self._percent = start

    def update(self, fraction: float) -> None:
        """The task has done `fraction` of its work; a smaller one than before counts as the one before."""
        # NaN compares false, so it leaves the percent as it is.
        if fraction > self._percent:
            self._percent = min(1.0, float(fraction))
        now = self._clock()
        if self._percent == 1.0 or now - self._told_at >= self._interval:
            self._told_at = now
            self._tell(self._percent)

    def part(self, start: float, end: float) -> ProgressPart:
        """The part of the task between two fractions, as something to update with fractions of its own."""
        return ProgressPart(self, start, end)


class ProgressPart:
    """A stretch of a `Progress`: its 0 is `start`, its 1 is `end`."""

    def __init__(self, whole: Progress, start: float, end: float) -> None:
        self._whole = whole
        self._start = start
        self._end = end

    def update(self, fraction: float) -> None:
        # min(fraction, 1.0), not min(1.0, fraction): NaN stays NaN.
        self._whole.update(self._start + (self._end - self._start) * min(fraction, 1.0))


def silent_progress() -> Progress:
    """A progress nobody hears of: for ranks other than 0."""
    return Progress(lambda percent: None)
