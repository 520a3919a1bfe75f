"""Keep images in memory that all processes of a training on a machine share; the kernel frees it with the last of them.

The memory is a file without a name: it takes nothing of /dev/shm or of a disk, needs no writable folder, and nothing
of it can stay behind.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from typing import Optional, Sequence, Tuple, Union

import numpy as np

from executor.machine.memory import free_memory

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
        self._file = os.memfd_create('images') if file is None else os.open(file, os.O_RDWR)
        if file is None:
            os.truncate(self._file, int(self._starts[-1]))  # pages are there when they are written
        self._memory = np.frombuffer(mmap.mmap(self._file, int(self._starts[-1]), prot=mmap.PROT_READ), np.uint8)
        self._least_free = int(free_memory() * _SHARE)

    @property
    def path(self) -> str:
        """Give the name by which another process can open the file, as long as this one lives."""
        return f'/proc/{os.getpid()}/fd/{self._file}'

    @property
    def bytes(self) -> int:
        """Give the bytes of all places."""
        return int(self._starts[-1] - self._starts[0])

    def held(self) -> Tuple[int, int]:
        """Count the images that are held, and their bytes."""
        filled = self._memory[1 : 1 + self.places].astype(bool)
        return int(filled.sum()), int(np.diff(self._starts)[filled].sum())

    def open(self) -> None:
        """Let all processes fill it, once it is seen what else takes memory."""
        os.pwrite(self._file, b'\1', 0)

    def read(self, image: int) -> Optional[np.ndarray]:
        """Give the bytes of an image, (length,) uint8, not to be written to; None where they are not held."""
        if image >= self.places or not self._memory[1 + image]:
            return None
        return self._memory[self._starts[image] : self._starts[image + 1]]

    def write(self, image: int, content: np.ndarray) -> None:
        """Hold the bytes of an image, if they have a place and memory is left."""
        if image >= self.places or not self._memory[0]:
            return
        start, end = self._starts[image : image + 2].tolist()
        if content.nbytes != end - start or free_memory() < self._least_free:  # the first where the file has changed
            return
        # Writing to the file fails where there is no memory; writing to mapped memory would kill the process.
        with suppress(OSError):
            if os.pwrite(self._file, np.ascontiguousarray(content).reshape(-1).data, start) == content.nbytes:
                # Only now, so that nobody reads half an image; two processes that fill a place write the same.
                os.pwrite(self._file, b'\1', 1 + image)


def room_for_images() -> int:
    """Give the bytes that a cache may take on this machine, or in this container."""
    return int(free_memory() * _SHARE)
