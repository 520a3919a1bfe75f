"""Bind the life of a process to that of the one which started it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from multiprocessing.process import BaseProcess

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """End this process when the one that started it is gone, so that none is left behind by a kill."""
    # By Linux, if the thread is gone that started this process.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if not parent.is_alive():  # it went before it could be asked
        os._exit(1)
    if parent.pid != os.getppid():  # that is a fork server, which lives as long as its processes do
        with suppress(RuntimeError):  # of a limit to threads; the server ends in most cases, and ends this one
            threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
