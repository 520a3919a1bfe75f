"""A failure as the platform is told it: code, one sentence, traceback. It travels between processes."""

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
    """`message` is one sentence for the user; `traceback` its last hundred lines; `kind` the error's type by name."""

    code: int
    message: str
    traceback: str
    kind: str = ''


def failure_of(error: BaseException) -> Failure:
    """What to tell of an exception: an `ExecutorError` speaks for itself, anything else is named by its type."""
    message = str(error) if isinstance(error, ExecutorError) else f'unexpected {type(error).__name__}: {error}'
    lines = ''.join(traceback_module.format_exception(type(error), error, error.__traceback__)).splitlines()
    return Failure(
        code=getattr(error, 'code', ExecutorError.code) if isinstance(error, ExecutorError) else ExecutorError.code,
        message=' '.join(message.split())[:_MAX_MESSAGE],
        traceback='\n'.join(line[:_MAX_LINE] for line in lines[-_MAX_LINES:])[-_MAX_TRACEBACK:],
        kind=type(error).__name__,
    )


def death_of(exitcode: int) -> ExecutorError:
    """The error that stands for a process which ended without a word; a negative status is a signal."""
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
    how = f'by signal {signal.Signals(-exitcode).name}' if exitcode < 0 else f'with exit status {exitcode}'
    return ExecutorError(f'the worker ended {how} without a message: see the log above, and start the task again')
