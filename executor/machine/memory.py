"""Recognise failures of the machine, memory that has ended above all, by what torch says of them."""

from __future__ import annotations

import re

_BETWEEN_RANKS = 'NCCL|gloo|TCPStore|socket|Connection (closed|reset|refused|was)|Broken pipe'
# torch has one type for nearly all its failures, so the words decide. What it says of a tensor's "memory format" or
# "memory location" is about a model.
_OF_THE_MACHINE = re.compile(
    f'{_BETWEEN_RANKS}|CUDA|cuDNN|DataLoader|bus error|(out of|allocate|shared|pin) memory|'
    'open files|ancdata|new thread',
    re.IGNORECASE,
)
_LOSS_OF_A_RANK = re.compile(_BETWEEN_RANKS, re.IGNORECASE)
_LOADER_DEATH = re.compile(r'DataLoader worker \(pid|bus error', re.IGNORECASE)


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
    if isinstance(error, (OSError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and _OF_THE_MACHINE.search(str(error)) is not None
