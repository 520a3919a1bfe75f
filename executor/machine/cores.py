"""Count the CPU cores that a process may use."""

from __future__ import annotations

import os


def available_cores(processes: int = 1) -> int:
    """Count the cores for each of several processes: what the user's OMP_NUM_THREADS says, else an equal share.

    Called once, at the door of the worker: from there on the number travels as an argument.
    """
    chosen = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]  # OpenMP allows a number a level
    return int(chosen) if chosen.isdigit() and int(chosen) else max(1, len(os.sched_getaffinity(0)) // processes)
