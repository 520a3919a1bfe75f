"""Say how many loading processes fit into /dev/shm, where they hand their images over.

A process that writes there when it is full dies of a bus error; docker's default is 64 MB.
"""

from __future__ import annotations

import math
import os
from typing import Tuple

_USABLE = 0.85  # the rest is for what else lives there
_FOR_NCCL = 32 * 2**20  # bytes a rank, which NCCL takes when several GPUs meet
_BATCHES_HELD = 2  # by the training loop: the one in use and the one before it


def workers_that_fit(wanted: int, batch_bytes: int, free_bytes: int) -> Tuple[int, int]:
    """Choose (loading processes of a rank, batches that each prepares ahead), as many of those wanted as fit.

    First each prepares one batch ahead instead of two, then they are fewer.
    """
    batches = int(free_bytes * _USABLE) // max(1, batch_bytes) - _BATCHES_HELD
    if wanted == 0 or batches < 1:
        return 0, 0
    return (wanted, 2) if batches >= 2 * wanted else (min(wanted, batches), 1)


def shared_memory_for(workers: int, batch_bytes: int, ranks: int, use_gpu: bool) -> int:
    """Count the bytes of /dev/shm in which so many loading processes a rank fit, two batches ahead each."""
    return ranks * (math.ceil((2 * workers + _BATCHES_HELD) * batch_bytes / _USABLE) + _nccl_bytes(ranks, use_gpu))


def free_shared_memory(ranks: int, use_gpu: bool) -> int:
    """Count the bytes of /dev/shm free for the loaders of one rank."""
    try:
        stat = os.statvfs('/dev/shm')
    except OSError:
        return 2**62  # torch uses other means, and any number fits
    free = stat.f_bavail * stat.f_frsize // ranks
    return max(0, free - _nccl_bytes(ranks, use_gpu))


def _nccl_bytes(ranks: int, use_gpu: bool) -> int:
    return _FOR_NCCL if use_gpu and ranks > 1 else 0
