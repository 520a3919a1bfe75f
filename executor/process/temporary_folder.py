"""Keep the temporary files of a task in a folder that goes with it, however it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Iterator

from executor.machine.environment import environment

# A file in each folder of ours, locked as long as its task lives. Its name says whose the folder is.
_MARK = '.ymir-executor'


@contextmanager
def temporary_folder(instead: Path) -> Iterator[None]:
    """Give processes started in the block, and their libraries, a folder for temporary files that is then removed.

    multiprocessing and torch leave theirs behind when they are killed. The folder lies in `instead` where the machine
    has none for temporary files. What tasks that were killed have left in either goes, too.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix='ymir-'))
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix='.ymir-', dir=str(instead)))
    for place in {folder.parent, instead}:
        for mark in place.glob(f'*ymir-*/{_MARK}'):
            _remove_abandoned(mark)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, str(folder), ignore_errors=True)
        _put_mark(folder, stack)
        stack.enter_context(environment(TMPDIR=str(folder)))
        yield


def _put_mark(folder: Path, stack: ExitStack) -> None:
    """Put the mark into a folder, locked before it has its name, until the stack is left."""
    unlocked = folder / f'{_MARK}.new'
    with suppress(OSError):  # where nothing can be locked, the folder has no mark
        fcntl.flock(stack.enter_context(unlocked.open('w')), fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(folder / _MARK)


def _remove_abandoned(mark: Path) -> None:
    """Remove the folder of a mark that nobody holds; not one of another user, and none that is a link to elsewhere."""
    folder = mark.parent
    with suppress(OSError):
        if mark.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        with mark.open('r+') as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(str(folder), ignore_errors=True)  # which follows no link
