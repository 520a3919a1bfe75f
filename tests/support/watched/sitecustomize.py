"""Has every process that starts with this folder in its PYTHONPATH watched: see `tests/support/watch.py`.

WATCH_FILE gets a line for each thing noted, of whichever process; WATCH_FOLDER is the task's.
"""

import os
import tempfile
from pathlib import Path

from tests.support.watch import Allowed, installed_modules, watch

_READABLE = ('/proc', '/sys', '/etc', '/dev/urandom', '/usr/share', '/usr/lib/os-release')
# Processes hand each other jobs and batches.
_PICKLED = (
    *('collections', 'concurrent', 'executor', 'mmdet', 'mmengine', 'multiprocessing', 'numpy', 'pathlib', 'torch'),
)


def _note(what: str) -> None:
    with open(os.environ['WATCH_FILE'], 'a', encoding='utf-8', errors='backslashreplace') as stream:
        stream.write(f'{what}\n')


watch(
    _note,
    Allowed(
        readable=[Path(name) for name in _READABLE],
        writable=[Path(os.environ['WATCH_FOLDER']), Path(tempfile.gettempdir()), Path('/dev/shm'), Path('/dev/null')],
        modules=installed_modules(),
        pickled=_PICKLED,
        programs=('fc-list',),  # matplotlib's, for its fonts
        forks=True,
        evaluates=True,
    ),
)
