"""Write files that hold a whole version at any moment: written beside the target, then renamed over it."""

from __future__ import annotations

import errno
import glob
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, TextIO, Union


@contextmanager
def replaced_path(path: Path) -> Iterator[Path]:
    """Give the path of a file beside `path`, for the block to write, which is renamed over `path` at its end.

    Owner and mode of the version before are kept where that can be. After an exception in the block, `path` is as it
    was and nothing lies beside it.
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


@contextmanager
def replaced_file(path: Path) -> Iterator[TextIO]:
    """Open a text stream whose content takes the place of `path` at the end of the block, see `replaced_path`.

    Characters that UTF-8 does not have are written as `\\udcff`.
    """
    with replaced_path(path) as beside, beside.open('w', encoding='utf-8', errors='backslashreplace') as stream:
        yield stream


def replace_file(path: Path, content: Union[str, bytes]) -> None:
    """Write a file whole, text as `replaced_file` does and bytes as they are."""
    data = content if isinstance(content, bytes) else content.encode('utf-8', errors='backslashreplace')
    with replaced_path(path) as beside:
        beside.write_bytes(data)


def remove_file(path: Path) -> None:
    """Remove a file of an earlier run, and what a kill in the middle of `replaced_path` left beside it."""
    path.unlink(missing_ok=True)
    remove_halves(path)


def remove_halves(path: Path) -> None:
    """Remove what a kill in the middle of `replaced_path` left beside a file; nothing else that is hidden there."""
    for beside in path.parent.glob(f'.{glob.escape(path.name)}.*'):
        if beside.suffix[1:].isdigit():
            beside.unlink()


def is_full(error: OSError) -> bool:
    """Tell whether the disk, or what a user may have of it, is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _move_over(beside: Path, path: Path) -> None:
    try:
        os.replace(beside, path)
    except OSError as error:
        # A file that is itself a mount cannot be replaced, only written (os.path.ismount does not see a bind mount
        # from the same device); nor can another user's, in a folder where each may remove but their own.
        if error.errno not in (errno.EBUSY, errno.EXDEV, errno.EPERM):
            raise
        shutil.copyfile(beside, path)
        beside.unlink()


def _copy_owner_and_mode(source: Path, target: Path) -> None:
    # A courtesy: of a first version, for a user who may not give files away, where an owner has no number (EINVAL in a
    # rootless container) or files have no owners at all, ours is as good.
    with suppress(OSError):
        known = source.stat()
        shutil.copymode(source, target)
        os.chown(target, known.st_uid, known.st_gid)
