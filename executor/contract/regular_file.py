"""Read a file whole, where it is one that ends."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular(path: Path, most: int) -> bytes:
    """Read a file of at most `most` bytes; a pipe or a device, which may never end, is not opened.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    found = os.stat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):  # reading a folder fails in its own words
        raise OSError(errno.EINVAL, 'not a regular file', str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, f'{found.st_size} bytes, where {most} are the most', str(path))
    return path.read_bytes()
