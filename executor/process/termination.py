"""Be asked to stop, by a signal: once, wherever the process is."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn, Optional, Set

from executor.contract.errors import ExecutorError

# What asks a process to end, and it can answer: docker stop, Ctrl-C, a terminal that is closed, a batch system.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)


class Terminated(ExecutorError):
    """The task was asked to stop; `status` is what its process ends with, as a shell has it."""

    def __init__(self, signum: int) -> None:
        problem = f'the task was stopped from outside ({signal.Signals(signum).name}) before it was done'
        super().__init__(f'{problem}: start it again; stages saved before stay valid')
        self.status = 128 + signum


def raise_terminated(signum: int, frame: Optional[FrameType] = None) -> NoReturn:
    """Raise `Terminated`, for the only time: a second Ctrl-C changes nothing."""
    ignore_termination()
    raise Terminated(signum)


def heed_termination() -> None:
    """Make signals that stop a task raise `Terminated` from now on, wherever this process is.

    Those that were ignored when it began, as nohup has it, stay ignored.
    """
    for number in STOPS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, raise_terminated)


def heeded() -> Set[signal.Signals]:
    """Return the signals that stop the task."""
    return {number for number in STOPS if signal.getsignal(number) is raise_terminated}


def ignore_termination() -> None:
    """Let nothing interrupt this process on its last steps; SIGKILL follows soon enough."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
