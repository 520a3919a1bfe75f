"""Find files of equal content among many, reading few of their bytes."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, Hashable, List, Optional, Sequence

_PIECE = 2**14  # bytes from the middle of a file, where different images hardly ever agree
_BLOCK = 2**20  # bytes that are read at a time
_THREADS = 8  # files that are not cached are waited for
_TASK = 256  # files that a thread is given at a time

_Key = Optional[Hashable]  # equal files have equal keys; None where there is none


@dataclass(frozen=True)
class Equals:
    """Groups of equal files, by their positions, and how many files that may have an equal were not compared."""

    groups: Sequence[Sequence[int]]
    not_compared: int


def equal_files(paths: Sequence[str], seconds: float) -> Equals:
    """Compare files by their sizes, then by 16 KB in their middle, then as a whole, as far as the seconds go."""
    deadline = time.monotonic() + seconds
    groups: List[List[int]] = [list(range(len(paths)))]
    not_compared = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for key in (_size, _middle, _whole):
            asked = [position for group in groups for position in group]
            tasks = [[paths[position] for position in asked[n : n + _TASK]] for n in range(0, len(asked), _TASK)]
            found = (value for part in pool.map(partial(_keys, key, deadline), tasks) for value in part)
            known = {position: value for position, value in zip(asked, found) if value is not None}
            not_compared += len(asked) - len(known)
            groups = _parted(groups, known)
    return Equals(groups, not_compared)


def _parted(groups: Sequence[Sequence[int]], keys: Dict[int, Hashable]) -> List[List[int]]:
    """Part groups by the keys of their members; what has no key, or one that it alone has, is left out."""
    parts: Dict[Hashable, List[int]] = {}
    for number, group in enumerate(groups):
        for position in group:
            if position in keys:
                parts.setdefault((number, keys[position]), []).append(position)
    return [part for part in parts.values() if len(part) > 1]


def _keys(key: Callable[[str, float], _Key], deadline: float, paths: Sequence[str]) -> List[_Key]:
    found: List[_Key] = []
    for path in paths:
        try:
            found.append(key(path, deadline) if time.monotonic() < deadline else None)
        except OSError:
            found.append(None)
    return found


def _size(path: str, deadline: float) -> _Key:
    return os.stat(path).st_size


def _middle(path: str, deadline: float) -> _Key:
    with open(path, 'rb', buffering=0) as stream:
        stream.seek(max(0, (os.fstat(stream.fileno()).st_size - _PIECE) // 2))
        return hashlib.blake2b(stream.read(_PIECE), digest_size=16).digest()


def _whole(path: str, deadline: float) -> _Key:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, 'rb', buffering=0) as stream:
        for block in iter(lambda: stream.read(_BLOCK), b''):
            digest.update(block)
            if time.monotonic() > deadline:
                return None
    return digest.digest()
