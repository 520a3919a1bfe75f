"""Keep images in memory that all processes of a training on a machine share."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple, Union

import numpy as np

from executor.machine.memory import free_memory
from executor.machine.shared_bytes import SharedBytes

_YES = memoryview(b'\1')
_SHARE = 0.5  # of the memory that is free when a training begins; filling ends, too, when less than that is left


class ImageCache:
    """Holds the bytes of images, each in a place of its own that is filled once, by whoever reads the image first.

    Args:
        lengths: bytes of each image; the first ones get a place, as many as there is room for.
        room: bytes.
        file: where another process holds the same cache, as its `path`; None to begin one.

    Raises:
        OSError: there can be none.
    """

    def __init__(self, lengths: Union[Sequence[int], np.ndarray], room: int, file: Optional[str] = None) -> None:
        # In the file: whether it may be filled, which images are there, and then these.
        begin = 1 + len(lengths)
        ends = begin + np.cumsum(lengths, dtype=np.int64)
        self.places = int(np.searchsorted(ends, room, side='right'))
        self._starts = np.concatenate(([begin], ends))[: self.places + 1]
        size = int(self._starts[-1])
        self._shared = SharedBytes(size) if file is None else SharedBytes.opened(file, size)
        self._least_free = int(free_memory() * _SHARE)

    @property
    def path(self) -> str:
        """Give the name by which another process can open it, as long as this one lives."""
        return self._shared.path

    @property
    def bytes(self) -> int:
        """Give the bytes of all places."""
        return int(self._starts[-1] - self._starts[0])

    def held(self) -> Tuple[int, int]:
        """Count the images that are held, and their bytes."""
        filled = self._memory()[1 : 1 + self.places].astype(bool)
        return int(filled.sum()), int(np.diff(self._starts)[filled].sum())

    def open(self) -> None:
        """Let all processes fill it, once it is seen what else takes memory."""
        self._shared.write(_YES, 0)

    def read(self, image: int) -> Optional[np.ndarray]:
        """Give the bytes of an image, (length,) uint8, not to be written to; None where they are not held."""
        if image >= self.places or not self._shared.memory[1 + image]:
            return None
        return self._memory()[self._starts[image] : self._starts[image + 1]]

    def write(self, image: int, content: np.ndarray) -> None:
        """Hold the bytes of an image, if they have a place and memory is left."""
        if image >= self.places or not self._shared.memory[0]:
            return
        start, end = self._starts[image : image + 2].tolist()
        if content.nbytes != end - start or free_memory() < self._least_free:  # the first where the file has changed
            return
        # Only then, so that nobody reads half an image; two processes that fill a place write the same.
        if self._shared.write(np.ascontiguousarray(content).reshape(-1).data, start):
            self._shared.write(_YES, 1 + image)

    def _memory(self) -> np.ndarray:
        """Give all of it, uint8, not to be written to."""
        memory = np.frombuffer(self._shared.memory, np.uint8)
        memory.flags.writeable = False
        return memory


def room_for_images() -> int:
    """Give the bytes that a cache may take on this machine, or in this container."""
    return int(free_memory() * _SHARE)
