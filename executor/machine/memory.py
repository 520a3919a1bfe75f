"""Tell how much memory is free, and recognise that it has ended, or the machine has failed, by what torch says."""

from __future__ import annotations

import ctypes
import re
import resource
from contextlib import suppress
from pathlib import Path
from typing import Sequence

from executor.machine.limits import limit_reached

_BETWEEN_RANKS = 'NCCL|gloo|TCPStore|socket|Connection (closed|reset|refused|was)|Broken pipe'
# torch has one type for nearly all its failures, so the words decide. What it says of a tensor's "memory format" or
# "memory location" is about a model.
_OF_THE_MACHINE = re.compile(
    f'{_BETWEEN_RANKS}|CUDA|cuDNN|DataLoader|bus error|(out of|allocate|shared|pin) memory', re.IGNORECASE
)
# cuBLAS takes memory of its own when it starts, and so do the ways of cuDNN to convolve, which torch tries one by one.
_GPU_MEMORY = re.compile(
    'out of memory|CUBLAS_STATUS_ALLOC_FAILED|nable to find a valid cuDNN algorithm|FIND was unable to find an engine'
)
_LOSS_OF_A_RANK = re.compile(_BETWEEN_RANKS, re.IGNORECASE)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LOADER_DEATH = re.compile(r'DataLoader worker \(pid|pin memory thread|bus error', re.IGNORECASE)


def peak_memory(use_gpu: bool) -> int:
    """Return the bytes that this process has held at most: of its GPU, or without one of the machine's memory."""
    if use_gpu:
        import torch

        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Say whether a smaller batch may help against a failure on the GPU."""
    return isinstance(error, RuntimeError) and _GPU_MEMORY.search(str(error)) is not None


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether the machine's own memory has ended."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and 'allocate memory' in str(error))


def is_loader_death(error: BaseException) -> bool:
    """Say whether a loading process was killed, as happens when /dev/shm or the memory is full."""
    return isinstance(error, RuntimeError) and _LOADER_DEATH.search(str(error)) is not None


def is_loss_of_a_rank(error: BaseException) -> bool:
    """Say whether a rank may have failed only because another one it talks with is gone."""
    return isinstance(error, RuntimeError) and _LOSS_OF_A_RANK.search(str(error)) is not None


def is_of_the_machine(error: BaseException) -> bool:
    """Say whether a failure is the machine's, and no fault of a config or a model."""
    if isinstance(error, (OSError, MemoryError)) or limit_reached(error) or is_out_of_gpu_memory(error):
        return True
    return isinstance(error, RuntimeError) and _OF_THE_MACHINE.search(str(error)) is not None


def free_memory(proc: Path = Path('/proc'), cgroup: Path = Path('/sys/fs/cgroup')) -> int:
    """Give the bytes that the machine has left, or the container where it has fewer; cached files count as left."""
    free = _sum_of(proc / 'meminfo', ('MemAvailable:',)) * 1024
    for limit, folder, used in (
        ('memory.max', '', ('anon', 'shmem')),
        ('memory.limit_in_bytes', 'memory', ('total_rss', 'total_shmem')),
    ):
        try:
            most = int((cgroup / folder / limit).read_text())
            free = min(free, most - _sum_of(cgroup / folder / 'memory.stat', used))
        except (OSError, ValueError):  # no such version of cgroups, or no limit
            continue
    return free


def keep_freed_memory() -> None:
    """Let this process, and its forks, use memory again that they have freed, instead of giving it back at once.

    The C library gives blocks of the size of an image back to the kernel, which fills each page anew: for loading that
    took a third of the time.
    """
    with suppress(OSError, AttributeError):  # of another C library than GNU's
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 2**25)  # bytes, the most it takes
        ctypes.CDLL(None).mallopt(_M_TRIM_THRESHOLD, 2**28)


def _sum_of(file: Path, names: Sequence[str]) -> int:
    rows = (line.split() for line in file.read_text().splitlines())
    return sum(int(row[1]) for row in rows if row[0] in names)
