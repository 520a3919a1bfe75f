"""Call the command of `desk/` in a process of its own, in a folder, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY


def start(folder: Path, *arguments: object) -> subprocess.Popen:
    """Start the command in a folder, as a user does."""
    return subprocess.Popen(
        [sys.executable, '-m', 'desk', *map(str, arguments)],
        cwd=str(folder),
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def desk(folder: Path, *arguments: object, status: int = 0) -> str:
    """Call it, which must end with this status, and return what it told."""
    process = start(folder, *arguments)
    told, _ = process.communicate()
    assert process.returncode == status, told
    return told
