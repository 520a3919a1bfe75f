"""Keep the temporary files of a task in a folder that goes with it, however it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def temporary_folder(instead: Path) -> Iterator[None]:
    """Give processes started in the block, and their libraries, a folder for temporary files that is then removed.

    multiprocessing and torch leave theirs behind when they are killed. The folder lies in `instead` where the machine
    has none for temporary files.
    """
    try:
        folder = tempfile.mkdtemp(prefix='ymir-')
    except OSError:
        folder = tempfile.mkdtemp(prefix='.ymir-', dir=str(instead))
    before = os.environ.get('TMPDIR')
    os.environ['TMPDIR'] = folder
    try:
        yield
    finally:
        del os.environ['TMPDIR']
        if before is not None:
            os.environ['TMPDIR'] = before
        shutil.rmtree(folder, ignore_errors=True)
