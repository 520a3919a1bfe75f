"""Tell failures of the machine, such as memory that ended, from mistakes of a program."""

from __future__ import annotations

import re

_OF_THE_MACHINE = re.compile(
    'CUDA|NCCL|cuDNN|gloo|out of memory|allocate memory|DataLoader worker|bus error', re.IGNORECASE
)


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Tell whether the memory of a GPU was too small."""
    return isinstance(error, RuntimeError) and 'out of memory' in str(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether the memory of the host was too small."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and 'allocate memory' in str(error))


def is_of_the_machine(error: BaseException) -> bool:
    """Tell whether a RuntimeError comes from the machine: its memory, its GPUs, or what connects processes."""
    return isinstance(error, RuntimeError) and _OF_THE_MACHINE.search(str(error)) is not None
