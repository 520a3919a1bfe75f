"""Start loading processes from Python's fork server, which has nothing of this process.

A fork of this process would hold its CUDA context, of which no other process can make use, its locks as its threads had
them at that moment, and all the memory that it has freed.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing import forkserver
from pathlib import Path

CONTEXT = multiprocessing.get_context('forkserver')

_CODE = Path(__file__).resolve().parents[2]


def begin(module: str) -> None:
    """Begin the server, which imports what its processes need while this process goes on.

    Without this it begins with the first of them, and each imports for itself.
    """
    multiprocessing.set_forkserver_preload(['__main__', module])  # the program, which each looks at as it begins
    before = os.environ.get('PYTHONPATH')
    # It is a new interpreter, which up to Python 3.12 does not look where this one finds its modules.
    os.environ['PYTHONPATH'] = os.pathsep.join([str(_CODE), *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        del os.environ['PYTHONPATH']
        if before is not None:
            os.environ['PYTHONPATH'] = before
