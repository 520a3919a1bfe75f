"""Show how far something is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from typing import Iterator, Optional, TextIO

from executor.log import duration

_WIDTH = 30
_LINE_SECONDS = 60


class Bar:
    """A line on a terminal that is drawn again and again; elsewhere, as in a log, one for each minute."""

    def __init__(self, stream: Optional[TextIO] = None) -> None:
        self._stream = stream or sys.stderr
        self._draws = self._stream.isatty()
        self._started = self._told_at = time.monotonic()
        self._what = ''
        self._drawn = ''

    @contextmanager
    def told(self, what: str) -> Iterator[None]:
        """Show in the block how far `what` is, and take the bar away after it."""
        self._what = what
        self._started = self._told_at = time.monotonic()
        self.update(0.0)
        try:
            yield
        finally:
            if self._drawn:
                self._write('\r' + ' ' * len(self._drawn) + '\r')
                self._drawn = ''

    def update(self, fraction: float, beside: str = '') -> None:
        """Draw the bar at a fraction, with a text beside it as far as there is room."""
        now = time.monotonic()
        passed = now - self._started
        left = f', {duration(passed / fraction * (1 - fraction))} left' if 0.02 <= fraction < 1 else ''
        told = f'{fraction:4.0%} {duration(passed)}{left}  {beside}'
        if self._draws:
            filled = '#' * int(fraction * _WIDTH)
            text = f'{self._what} [{filled:<{_WIDTH}}] {told}'[: shutil.get_terminal_size().columns - 1]
            self._write('\r' + text.ljust(len(self._drawn)))
            self._drawn = text
        elif now - self._told_at >= _LINE_SECONDS:
            self._told_at = now
            self._write(f'{self._what} {told}\n')

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
