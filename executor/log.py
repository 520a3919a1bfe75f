"""Set up logging, once at the entry of each process: plain lines on stdout, which the platform stores."""

from __future__ import annotations

import logging
import sys


def set_up_logging() -> None:
    """Show INFO and above of this project, WARNING and above of everything else."""
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.WARNING,
        format='%(asctime)s %(levelname)s %(message)s',
        datefmt='%Y-%m-%d %H:%M:%S',
        force=True,
    )
    logging.getLogger('executor').setLevel(logging.INFO)


def duration(seconds: float) -> str:
    """Write a time as `42s`, `3m05s` or `2h07m`."""
    whole = int(round(seconds))
    if whole < 60:
        return f'{whole}s'
    if whole < 3600:
        return f'{whole // 60}m{whole % 60:02d}s'
    return f'{whole // 3600}h{whole % 3600 // 60:02d}m'
