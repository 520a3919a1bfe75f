"""Define the error of a command that is called in a way it cannot be, and a check of its arguments."""

from __future__ import annotations

from pathlib import Path


class UsageError(Exception):
    """An argument that cannot be used; the message is one sentence, the exit status 2."""


def check_folder(out: Path) -> None:
    """Refuse a file where a folder is to be, before anything is computed."""
    if out.exists() and not out.is_dir():
        raise UsageError(f'--out {out} is a file: name a folder')
