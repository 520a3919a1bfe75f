"""Join the ranks of a task and talk between them: the only room that names torch.distributed.

What torch's launcher tells a rank by the environment is read here alone. Ask each time, never store.
"""

from __future__ import annotations

import datetime
import os
from typing import Any, Callable, List, TypeVar

import torch
import torch.distributed

T = TypeVar('T')


def start(use_gpu: bool) -> None:
    """Join the other ranks that the launcher started; nothing to do for a single process."""
    if int(os.environ.get('WORLD_SIZE', '1')) == 1:
        return
    if use_gpu:
        torch.cuda.set_device(local_rank())
    # The other ranks wait while rank 0 evaluates and saves; NCCL's own ten minutes are short for a large dataset.
    timeout = datetime.timedelta(hours=2)
    torch.distributed.init_process_group('nccl' if use_gpu else 'gloo', timeout=timeout)


def stop() -> None:
    """Leave the group, if this process is in one."""
    if _in_group():
        torch.distributed.destroy_process_group()


def local_rank() -> int:
    """Return this process's number on its machine, 0 for a single process."""
    return int(os.environ.get('LOCAL_RANK', '0'))


def local_world_size() -> int:
    """Count the processes that work together on this machine."""
    return int(os.environ.get('LOCAL_WORLD_SIZE', '1'))


def rank() -> int:
    """Return this process's number, 0 for a single process."""
    return torch.distributed.get_rank() if _in_group() else 0


def world_size() -> int:
    """Count the processes that work together, 1 for a single process."""
    return torch.distributed.get_world_size() if _in_group() else 1


def gather(value: T) -> List[T]:
    """Collect the value of every rank, by rank, once all are here; raises where one does not come in time."""
    values = [value] * world_size()
    if _in_group():
        torch.distributed.all_gather_object(values, value)
    return values


def from_first(make: Callable[[], T]) -> T:
    """Return on every rank what `make` gives on the first, which alone calls it; a failure is for that one to tell."""
    if not _in_group():
        return make()
    values: List[Any] = [make() if rank() == 0 else None]
    torch.distributed.broadcast_object_list(values)
    made: T = values[0]
    return made


def wait_for_all() -> None:
    """Wait until every rank is here."""
    gather(None)


def _in_group() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
