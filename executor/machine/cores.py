"""Processes: how many cores each has, and that they end with the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def cores() -> int:
    """CPU cores of this process: its share, where the launcher of several ranks has set one."""
    share = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]  # OpenMP allows a number a level
    return int(share) if share.isdigit() and int(share) else len(os.sched_getaffinity(0))


def die_with_parent() -> None:
    """Ask Linux to end this process when the thread that started it is gone, so that none is left behind by a kill."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
