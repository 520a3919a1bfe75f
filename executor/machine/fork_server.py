"""Start loading processes from Python's fork server, which has nothing of this process.

A fork of this process would hold its CUDA context, of which no other process can make use, its locks as its threads had
them at that moment, and all the memory that it has freed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import forkserver
from pathlib import Path

from executor.machine.environment import environment

METHOD = 'forkserver'  # as multiprocessing, and configs of mmengine, call it
CONTEXT = multiprocessing.get_context(METHOD)

_CODE = Path(__file__).resolve().parents[2]


def begin(module: str) -> None:
    """Begin the server, which imports what its processes need while this process goes on.

    Without this it begins with the first of them, and each imports for itself.
    """
    multiprocessing.set_forkserver_preload([module])
    # It is a new interpreter, and many versions of Python do not tell it where this one finds its modules.
    path = os.pathsep.join([str(_CODE), *filter(None, [os.environ.get('PYTHONPATH')])])
    # Ctrl-C comes to all processes at a terminal: this one answers it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with environment(PYTHONPATH=path, PYTHONWARNINGS='ignore'):
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
