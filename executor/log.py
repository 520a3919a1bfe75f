"""Set up what a process prints, once at its entry: plain lines on stdout, which the platform stores."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from typing import Any, Iterator


class _Printed(io.FileIO):
    """A file that takes all that is written, and loses what there is no room for, no reader, or no file at all."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)  # None where nobody is ready to read
        except OSError:
            return len(data)


def set_up_logging(level: int = logging.INFO) -> None:
    """Show `level` and above of this project, WARNING and above of everything else.

    From here on nothing that is printed, by whomever, can fail this process: not on a full disk, without a reader,
    with stdout closed, with characters that its encoding does not have.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file to be opened would take its place, and get what libraries print
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout, sys.stderr = _printed(1, sys.stdout), _printed(2, sys.stderr)
    # Libraries warn of optional packages and of their own deprecations: not the user's business, and never an error.
    warnings.simplefilter('ignore')
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.WARNING,
        format='%(asctime)s %(levelname)s %(message)s',
        datefmt='%Y-%m-%d %H:%M:%S',
        force=True,
    )
    logging.getLogger('executor').setLevel(level)


def _printed(number: int, before: Any) -> io.TextIOWrapper:
    """Open a stream to file descriptor `number`, in the encoding of the one `before`."""
    encoding = getattr(before, 'encoding', None) or 'utf-8'
    buffer = io.BufferedWriter(_Printed(number, 'w', closefd=False))
    return io.TextIOWrapper(buffer, encoding=encoding, errors='backslashreplace', line_buffering=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Lose what is printed in the block: mmdet tells which optional packages it does without."""
    silence = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        warnings.simplefilter('ignore')
        yield


def duration(seconds: float) -> str:
    """Write a time as `42s`, `3m05s` or `2h07m`."""
    whole = int(round(seconds))
    if whole < 60:
        return f'{whole}s'
    if whole < 3600:
        return f'{whole // 60}m{whole % 60:02d}s'
    return f'{whole // 3600}h{whole % 3600 // 60:02d}m'
