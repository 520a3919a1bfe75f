"""Run a function in a process of its own, which changes nothing here: no random number, no cache, no memory."""

from __future__ import annotations

import gc
import multiprocessing
import random
import signal
from multiprocessing.connection import Connection
from typing import Callable, Tuple, TypeVar

from executor.contract.shown import first_line
from executor.machine.lifetime import die_with_parent

T = TypeVar('T')


def run_apart(make: Callable[[], T], seconds: float) -> T:
    """Return what `make` gives in a fork of this process, which ends after `seconds` at the latest.

    Raises:
        TimeoutError: it took longer.
        ChildProcessError: it failed, or was killed.
    """
    context = multiprocessing.get_context('fork')
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(there, make, random.getstate()), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(seconds):
            raise TimeoutError(f'it takes longer than {seconds:g} s')
        made, problem = here.recv()
    except EOFError:
        process.join()
        raise ChildProcessError(f'its process was killed (exit status {process.exitcode})')
    finally:
        process.kill()
        process.join()
        here.close()
    if problem:
        raise ChildProcessError(problem)
    return made


def _send(there: Connection, make: Callable[[], T], state: Tuple[object, ...]) -> None:
    random.setstate(state)  # of which Python makes another in a fork
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # at a terminal it comes to all, and the other process answers
    die_with_parent()
    gc.freeze()  # looking through what is shared would copy it
    try:
        there.send((make(), ''))
    except Exception as error:  # of any kind: told where it was asked for
        there.send((None, f'{type(error).__name__}: {first_line(error)}'))
