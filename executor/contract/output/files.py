"""Files that always hold a whole version: written beside the target, then renamed."""

from __future__ import annotations

import errno
import glob
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, TextIO, Union


def replace_file(path: Path, content: Union[str, bytes]) -> None:
    """Write a file so that `path` always holds a whole version, keeping owner and mode of the one before."""
    if isinstance(content, bytes):
        with replaced_path(path) as beside:
            beside.write_bytes(content)
    else:
        with replaced_file(path) as stream:
            stream.write(content)


@contextmanager
def replaced_file(path: Path) -> Iterator[TextIO]:
    """Do the same for text that is written piece by piece; what UTF-8 does not have is written as `\\udcff`."""
    with replaced_path(path) as beside, beside.open('w', encoding='utf-8', errors='backslashreplace') as stream:
        yield stream


@contextmanager
def replaced_path(path: Path) -> Iterator[Path]:
    """Give the path of a file beside `path`, which takes its place at the end of the block.

    After an exception in the block, `path` is as it was and nothing lies beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        yield beside
        _copy_owner_and_mode(path, beside)
        _move_over(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def remove_file(path: Path) -> None:
    """Remove a file of an earlier run, and what a kill in the middle of `replaced_file` left beside it."""
    path.unlink(missing_ok=True)
    for beside in path.parent.glob(f'.{glob.escape(path.name)}.*'):
        beside.unlink()


def _move_over(beside: Path, path: Path) -> None:
    try:
        os.replace(beside, path)
    except OSError as error:
        # A file that is itself a mount cannot be replaced, only written. (os.path.ismount does not see a bind mount
        # from the same device.)
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(beside, path)
        beside.unlink()


def _copy_owner_and_mode(source: Path, target: Path) -> None:
    try:
        known = source.stat()
        shutil.copymode(source, target)
        os.chown(target, known.st_uid, known.st_gid)
    except (FileNotFoundError, PermissionError):
        pass  # a first version, or a user who may not give files away: ours is as good
