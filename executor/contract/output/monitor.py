"""Write monitor.txt: how far the task is, or why it failed."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Sequence

from executor.contract.output.files import is_full, replace_file
from executor.contract.regular_file import read_regular

STANDARD_MONITOR_FILE = Path('/out/monitor.txt')  # used when env.yaml itself cannot be read
STATE_RUNNING = 2  # also when done, at percent 1.00
STATE_FAILED = 4
_MOST_BYTES = 2**20


class Monitor:
    """The file monitor.txt: one record, `task_id, seconds, percent, state[, code, message]`, a traceback below it."""

    def __init__(self, path: Path, task_id: str, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._task_id = task_id
        self._clock = clock

    def running(self, percent: float) -> None:
        """Tell that the task is at `percent` in 0..1; 1 means done."""
        self._write(percent, STATE_RUNNING)

    def failed(self, code: int, message: str, traceback: str) -> None:
        """Tell that the task failed, as a `Failure` says it; percent stays as last told."""
        self._write(self.last_percent(), STATE_FAILED, str(code), message, below=traceback.splitlines())

    def _write(self, percent: float, state: int, *more: str, below: Sequence[str] = ()) -> None:
        record = '\t'.join((self._task_id, f'{self._clock():.6f}', f'{percent:.2f}', str(state), *more))
        try:
            replace_file(self.path, '\n'.join((record, *below)) + '\n')
        except OSError as error:
            # No file can take its place; it may take another record itself, on a full disk in the block that it has.
            lines = (record,) if is_full(error) else (record, *below)
            with suppress(OSError), self.path.open('r+b') as stream:
                stream.write(''.join(f'{line}\n' for line in lines).encode('utf-8', errors='backslashreplace'))
                stream.truncate()
                return
            raise

    def last_percent(self) -> float:
        """Read the percent of the record, 0 where there is none."""
        try:
            record = read_regular(self.path, _MOST_BYTES).decode('utf-8')
            return min(1.0, max(0.0, float(record.split('\t')[2])))
        except (OSError, ValueError, IndexError):
            return 0.0
