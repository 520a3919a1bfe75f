"""Memory that processes share: a file without a name, which the kernel frees with the last process that has it.

It takes nothing of /dev/shm or of a disk, needs no writable folder, and nothing of it can stay behind.
"""

from __future__ import annotations

import mmap
import os
import weakref
from multiprocessing.reduction import DupFd
from typing import Any, Callable, Optional, Tuple


class SharedBytes:
    """Holds `size` bytes, at first 0; a process that multiprocessing starts is given the same ones.

    Args:
        file: an open one of another `SharedBytes`; None for new bytes.

    Raises:
        OSError: there can be none.
    """

    def __init__(self, size: int, file: Optional[int] = None) -> None:
        self._file = os.memfd_create('ymir') if file is None else file
        weakref.finalize(self, os.close, self._file)
        if file is None:
            os.truncate(self._file, size)  # pages are there when they are written
        self.size = size
        self.memory = mmap.mmap(self._file, size)

    @classmethod
    def opened(cls, path: str, size: int) -> SharedBytes:
        """Open those that another process has, by its `path`."""
        return cls(size, os.open(path, os.O_RDWR))

    @property
    def path(self) -> str:
        """Give the name by which another process can open them, as long as this one lives."""
        return f'/proc/{os.getpid()}/fd/{self._file}'

    def write(self, content: memoryview, start: int) -> bool:
        """Write from byte `start` on, and say whether that could be.

        Where there is no memory for it, this fails; writing to `memory` would then kill the process.
        """
        try:
            while content.nbytes:  # at most 2 GB at a time
                written = os.pwrite(self._file, content, start)
                content, start = content[written:], start + written
        except OSError:
            return False
        return True

    def __reduce__(self) -> Tuple[Callable[..., Any], Tuple[Any, ...]]:
        return _received, (self.size, DupFd(self._file))


def _received(size: int, file: Any) -> SharedBytes:
    return SharedBytes(size, file.detach())
