"""Keep /out to one task at a time, by a lock that the kernel drops when the last process that holds it is gone."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import List

from executor.contract.errors import InUseError

_PATIENCE = 2.0  # seconds, in which what a killed task left running is gone


def claim(folder: Path) -> None:
    """Take a folder for a new task, as long as this process lives; the lock is on the folder and leaves no file in it.

    Where nothing can be locked, as on some network drives, the task goes on all the same.

    Raises:
        InUseError: another task has it.
    """
    with suppress(OSError):  # what is wrong with the folder is told by those who write there
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(str(folder), os.O_RDONLY)
        deadline = time.monotonic() + _PATIENCE
        # The first says that nobody is there, the second lets our worker in. Between them another task may come.
        while not (_locked(lock, fcntl.LOCK_EX) and _locked(lock, fcntl.LOCK_SH)):
            if time.monotonic() > deadline:
                os.close(lock)
                raise InUseError(
                    f'{folder} is in use by another task, which goes on: wait until that has ended, or give this one '
                    'a folder of its own'
                )
            time.sleep(0.05)


def hold(folder: Path) -> None:
    """Keep a folder that the process which started this one has claimed, as long as this one lives."""
    with suppress(OSError):
        lock = [os.open(str(folder), os.O_RDONLY)]
        _locked(lock[0], fcntl.LOCK_SH)
        # Loading processes are forks, and take their time to see that this one is gone.
        os.register_at_fork(after_in_child=lambda: _close(lock))


def _locked(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _close(lock: List[int]) -> None:
    while lock:  # once: in a fork of a fork the number may be that of another file
        os.close(lock.pop())
