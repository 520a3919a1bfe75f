"""Run a function in a fork of this process that writes into a log: what crashes there, or hangs, ends nothing else."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Callable, TypeVar

from executor.contract.shown import first_line
from executor.log import set_up_logging
from executor.machine.lifetime import die_with_parent

T = TypeVar('T')

_LAST_SECONDS = 10  # to end in, once the result is there


class Failed(Exception):
    """The function failed, or its process died: one line says how."""


def run_apart(make: Callable[[], T], log: Path, seconds: float) -> T:
    """Return what `make` gives; what it prints goes behind what the log holds.

    Unlike a process of `executor.machine.apart`, this one may start others, and CUDA, which this process must not have
    started. It leads a group, with which it is ended after `seconds`.

    Raises:
        Failed: it has failed, was killed or took too long.
    """
    context = multiprocessing.get_context('fork')
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(there, make, log))
    process.start()
    there.close()
    try:
        if not here.poll(seconds):
            raise Failed(f'it takes longer than {seconds:g} s')
        made, problem = here.recv()
        process.join(_LAST_SECONDS)
    except EOFError:
        process.join()
        raise Failed(f'its process died (exit status {process.exitcode})')
    finally:
        if process.is_alive():
            _end_group(process.pid or 0)
        process.join()
        here.close()
    if problem:
        raise Failed(problem)
    return made


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError):  # it ends, or does not lead yet
        os.killpg(pid, signal.SIGKILL)


def _send(there: Connection, make: Callable[[], T], log: Path) -> None:
    die_with_parent()
    os.setpgid(0, 0)
    with log.open('ab') as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    set_up_logging()
    logging.getLogger('executor').setLevel(logging.INFO)
    try:
        there.send((make(), ''))
    except BaseException as error:  # of any kind: told where it was asked for
        traceback.print_exc()
        there.send((None, f'{type(error).__name__}: {first_line(error)}'))
    finally:
        there.close()
