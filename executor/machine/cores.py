"""Count the CPU cores that a process may use."""

from __future__ import annotations

import os
import re


def available_cores(processes: int = 1) -> int:
    """Count the cores for each of several processes: what the user's OMP_NUM_THREADS says, else an equal share.

    Called once, at the door of the worker: from there on the number travels as an argument.
    """
    chosen = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]  # OpenMP allows a number a level
    given = re.fullmatch('0*[1-9][0-9]{0,3}', chosen, re.ASCII)
    return int(chosen) if given else share_of_cores(processes)


def share_of_cores(processes: int) -> int:
    """Count the cores for each of several processes, however many threads they are told to compute with."""
    return max(1, len(os.sched_getaffinity(0)) // processes)
