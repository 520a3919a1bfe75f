"""Show how far something is: a bar where a person looks on, nothing where not."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from typing import Iterator, Optional, TextIO

from executor.log import duration

_WIDTH = 30


class Bar:
    """A line on a terminal that is drawn again and again; elsewhere nothing is drawn."""

    def __init__(self, stream: Optional[TextIO] = None) -> None:
        self._stream = stream or sys.stderr
        self._shows = self._stream.isatty()
        self._started = time.monotonic()
        self._what = ''
        self._drawn = ''

    @contextmanager
    def told(self, what: str) -> Iterator[None]:
        """Show in the block how far `what` is, and take the line away after it."""
        self._what, self._started = what, time.monotonic()
        self.update(0.0)
        try:
            yield
        finally:
            self.clear()

    def update(self, fraction: float, beside: str = '') -> None:
        """Draw the bar at a fraction, with a text beside it as far as there is room."""
        if not self._shows:
            return
        passed = time.monotonic() - self._started
        left = f', {duration(passed / fraction * (1 - fraction))} left' if 0.02 <= fraction < 1 else ''
        filled = '#' * int(fraction * _WIDTH)
        text = f'{self._what} [{filled:<{_WIDTH}}] {fraction:4.0%} {duration(passed)}{left}  {beside}'
        text = text[: shutil.get_terminal_size().columns - 1]
        if text != self._drawn:
            self._stream.write('\r' + text.ljust(len(self._drawn)))
            self._stream.flush()
            self._drawn = text

    def clear(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._stream.write('\r' + ' ' * len(self._drawn) + '\r')
            self._stream.flush()
            self._drawn = ''
