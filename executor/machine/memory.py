"""Tell how much memory is free, and recognise that it has ended, or the machine has failed, by what torch says."""

from __future__ import annotations

import re
from pathlib import Path

from executor.machine.limits import limit_reached

_BETWEEN_RANKS = 'NCCL|gloo|TCPStore|socket|Connection (closed|reset|refused|was)|Broken pipe'
# torch has one type for nearly all its failures, so the words decide. What it says of a tensor's "memory format" or
# "memory location" is about a model.
_OF_THE_MACHINE = re.compile(
    f'{_BETWEEN_RANKS}|CUDA|cuDNN|DataLoader|bus error|(out of|allocate|shared|pin) memory', re.IGNORECASE
)
_LOSS_OF_A_RANK = re.compile(_BETWEEN_RANKS, re.IGNORECASE)
_LOADER_DEATH = re.compile(r'DataLoader worker \(pid|pin memory thread|bus error', re.IGNORECASE)


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Say whether a smaller batch may help against a failure on the GPU."""
    return isinstance(error, RuntimeError) and 'out of memory' in str(error)


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
    if isinstance(error, (OSError, MemoryError)) or limit_reached(error):
        return True
    return isinstance(error, RuntimeError) and _OF_THE_MACHINE.search(str(error)) is not None


def free_memory(proc: Path = Path('/proc'), cgroup: Path = Path('/sys/fs/cgroup')) -> int:
    """Give the bytes that the machine has left, or the container where it has fewer; what is cached counts as left."""
    free = _entry(proc / 'meminfo', 'MemAvailable:') * 1024
    for limit, folder, used in (('memory.max', '', 'anon'), ('memory.limit_in_bytes', 'memory', 'total_rss')):
        try:
            free = min(free, int((cgroup / folder / limit).read_text()) - _entry(cgroup / folder / 'memory.stat', used))
        except (OSError, ValueError):  # no such version of cgroups, or no limit
            continue
    return free


def _entry(file: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.split()[0] == name)
