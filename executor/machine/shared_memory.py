"""How many workers fit into /dev/shm, where they hand their images over.

A worker that finds it full dies of a bus error; docker gives 64 MB where nothing is said.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple, Optional, Sequence

_SHARED_MEMORY = Path('/dev/shm')
_USABLE = 0.85  # the rest is for what else lives there
_FOR_NCCL = 32 * 2**20  # bytes a rank, which NCCL takes when several GPUs meet
_BATCHES_HELD = 2  # by the training loop: the one in use and the one before it
_LARGEST_SIDE = 1333  # where a pipeline names no size: mmdet's usual upper bound


class Workers(NamedTuple):
    """Loading processes a rank, and the batches each has in the making; `prefetch` is None without workers."""

    count: int
    prefetch: Optional[int]


def fit_workers(wanted: int, batch_bytes: int, free_bytes: int) -> Workers:
    """As many workers of the wanted ones as fit: first each prepares one batch ahead instead of two, then fewer."""
    batches = int(free_bytes * _USABLE) // max(1, batch_bytes) - _BATCHES_HELD
    if wanted == 0 or batches < 1:
        return Workers(0, None)
    if batches >= 2 * wanted:
        return Workers(wanted, 2)
    return Workers(min(wanted, batches), 1)


def free_shared_memory(ranks: int, use_gpu: bool) -> int:
    """Bytes of /dev/shm free for the loaders of one rank; without one, torch uses other means and any number fits."""
    try:
        stat = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return 2**62
    free = stat.f_bavail * stat.f_frsize // ranks
    return max(0, free - _FOR_NCCL) if use_gpu and ranks > 1 else free


def image_bytes(pipeline: Sequence[Mapping[str, Any]]) -> int:
    """The most bytes one image of this pipeline has when it reaches the model, from the sizes its transforms name."""
    sides = [size for transform in pipeline for size in _sizes(transform)]
    width, height = max(sides, key=lambda side: side[0] * side[1], default=(_LARGEST_SIDE, _LARGEST_SIDE))
    # This one leaves float32.
    floats = any(transform['type'] == 'PhotoMetricDistortion' for transform in pipeline)
    return int(width * height * 3 * (4 if floats else 1))


def _sizes(transform: Mapping[str, Any]) -> Iterable[Sequence[float]]:
    for key in ('img_scale', 'scale', 'scales', 'crop_size', 'size'):
        value = transform.get(key)
        for size in value if isinstance(value, (list, tuple)) and value and _is_pair(value[0]) else [value]:
            if _is_pair(size):
                yield size


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value)
