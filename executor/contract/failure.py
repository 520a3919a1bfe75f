"""Describe a failure as the platform is told of it, in a form that travels between processes."""

from __future__ import annotations

import signal
import traceback as traceback_module
from dataclasses import dataclass

from executor.contract.errors import ExecutorError, OutOfMemoryError

# The limits keep a report well below the 64 KB that a pipe holds, so that telling it never blocks.
_MAX_LINES = 100
_MAX_LINE = 400  # characters
_MAX_TRACEBACK = 12000
_MAX_MESSAGE = 2000


@dataclass(frozen=True)
class Failure:
    """A failure: one sentence for the user, the traceback's last hundred lines, and the name of the error's type."""

    code: int
    message: str
    traceback: str
    kind: str = ''


class WorkerFailed(ExecutorError):
    """The worker ended without finishing its task; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def failure_of(error: BaseException) -> Failure:
    """Describe an exception: an `ExecutorError` by its own message, anything else with the name of its type."""
    try:
        text = str(error)
    except Exception:  # also an error may be wrong
        text = 'its message cannot be read'
    message = text if isinstance(error, ExecutorError) else f'unexpected {type(error).__name__}: {text}'
    lines = ''.join(traceback_module.format_exception(type(error), error, error.__traceback__)).splitlines()
    return Failure(
        code=error.code if isinstance(error, ExecutorError) else ExecutorError.code,
        message=''.join(map(_printable, ' '.join(message.split())))[:_MAX_MESSAGE],
        traceback='\n'.join(line[:_MAX_LINE] for line in lines[-_MAX_LINES:])[-_MAX_TRACEBACK:],
        kind=type(error).__name__,
    )


def _printable(character: str) -> str:
    """Write what nobody can read, such as NUL or half of an emoji, as Python does: `\\x00`, `\\ud83d`."""
    return character if character.isprintable() else ascii(character)[1:-1]


def death_of(exitcode: int) -> ExecutorError:
    """Make the error for a process that ended without a message; a negative exit code is the signal that ended it."""
    if exitcode == -signal.SIGKILL:
        return OutOfMemoryError(
            'the worker was killed (SIGKILL), most often because the machine ran out of memory: '
            'set samples_per_gpu or workers_per_gpu lower'
        )
    if exitcode == -signal.SIGBUS:
        return OutOfMemoryError(
            'the worker died of a bus error: /dev/shm is full: raise shm_size (docker run --shm-size) '
            'or set workers_per_gpu lower'
        )
    if exitcode == -signal.SIGTERM:
        return ExecutorError('something outside ended the worker (SIGTERM): start the task again')
    names = {number.value: number.name for number in signal.Signals}
    how = f'by signal {names.get(-exitcode, -exitcode)}' if exitcode < 0 else f'with exit status {exitcode}'
    return ExecutorError(f'the worker ended {how} without a message: see the log above, and start the task again')
