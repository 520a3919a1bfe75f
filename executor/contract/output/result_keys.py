"""Under which key each candidate stands in infer-result.json."""

from __future__ import annotations

import os
from array import array
from typing import Callable, Optional, Sequence

_BASE_NAME, _WHOLE_PATH, _NO_KEY = range(3)


class ResultKeys:
    """The key of every candidate, no key twice.

    The platform's key is the base name of the path. Where an earlier candidate of the index has it already, the key is
    the whole path as the index has it; where that is a key already too, the candidate gets none: the same image is
    listed again (or a path without a folder meets its own name). One byte a candidate is kept, while counting 16 to 32
    bytes more are needed.

    Attributes:
        repeated: how many candidates do not have their base name as key.
        first_repeated: the position of the first of them, None without any.
        without_key: how many of them have no key at all.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """
        Args:
            paths: N image paths, as in the index.
        """
        self._paths = paths
        self._kinds = bytearray(len(paths))  # _BASE_NAME each
        self.repeated = 0
        self.first_repeated: Optional[int] = None
        self.without_key = 0
        self._find_repeated()

    def __len__(self) -> int:
        return len(self._paths)

    def key(self, position: int) -> Optional[str]:
        """The key of the candidate at a position, None where it gets no entry."""
        kind = self._kinds[position]
        if kind == _NO_KEY:
            return None
        path = self._paths[position]
        return path if kind == _WHOLE_PATH else _base_name(path)

    def _find_repeated(self) -> None:
        owners = _Owners(len(self), self._owns)
        for position, path in enumerate(self._paths):
            owner = owners.take(_base_name(path), position)
            if owner == position:
                continue
            self.repeated += 1
            if self.first_repeated is None:
                self.first_repeated = position
            if self._paths[owner] != path and owners.take(path, position) == position:
                self._kinds[position] = _WHOLE_PATH
            else:
                self._kinds[position] = _NO_KEY
                self.without_key += 1

    def _owns(self, position: int, key: str) -> bool:
        return self.key(position) == key


class _Owners:
    """Which position has a key: a hash table that holds no keys, only 64 bits for each slot.

    A dict of a million names takes over 150 MB. Here a slot is 32 bits of the key's hash and 32 bits of position + 1,
    0 where it is free; where the bits of the hash agree, `owns(position, key)` tells whether the key does.
    """

    def __init__(self, count: int, owns: Callable[[int, str], bool]) -> None:
        self._mask = (1 << max(1, (2 * count - 1).bit_length())) - 1  # at least every second slot stays free
        self._slots = array('Q', [0]) * (self._mask + 1)
        self._owns = owns

    def take(self, key: str, position: int) -> int:
        """The position that has the key; `position` takes it where none has."""
        value = hash(key)
        bits = value >> 32 & 0xFFFFFFFF
        slot = value & self._mask
        while self._slots[slot]:
            other = (self._slots[slot] & 0xFFFFFFFF) - 1
            if self._slots[slot] >> 32 == bits and self._owns(other, key):
                return other
            slot = (slot + 1) & self._mask
        self._slots[slot] = bits << 32 | position + 1
        return position


def _base_name(path: str) -> str:
    # A path that ends in a slash has no base name.
    return os.path.basename(path) or path
