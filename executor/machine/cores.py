"""Count the CPU cores that a process may use."""

from __future__ import annotations

import os
import re


def available_cores(processes: int = 1) -> int:
    """Count the cores for each of several processes: what the user's OMP_NUM_THREADS says, else an equal share.

    Called once, at the door of the worker: from there on the number travels as an argument.
    """
    chosen = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]  # OpenMP allows a number a level
    own = len(os.sched_getaffinity(0)) // processes
    return int(chosen) if re.fullmatch('0*[1-9][0-9]{0,3}', chosen, re.ASCII) else max(1, own)
