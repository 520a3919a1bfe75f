"""The limits of a container to open files and to processes: raise the one, and recognise failures from either."""

from __future__ import annotations

import contextlib
import re
import resource
import traceback
from multiprocessing import popen_forkserver
from typing import Iterator, Optional

from executor.contract.errors import ExecutorError
from executor.contract.shown import first_line

_MOST_FILES = 65536  # more are of no use, and some libraries look at each number up to the limit
# Measured without loading processes, and half as much again. Where these need too many, that is told when it comes to
# it; but the launcher of ranks would try again for minutes.
_FILES_OF_A_TASK = 48
_FILES_OF_A_RANK = 8
_MORE_FILES = 'allow more (docker run --ulimit nofile=65536:65536)'

_FILES = re.compile('Too many open files|items of ancdata')  # the second is what torch says of a tensor's file
_PROCESSES = re.compile("can't start new thread|Resource temporarily unavailable|pthread_create")


def allow_open_files(ranks: int) -> None:
    """Let this process, and those that it starts, open as many files as the container allows.

    Raises:
        ExecutorError: that is too few for a task of so many ranks.
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if most == resource.RLIM_INFINITY else min(most, _MOST_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    needed = _FILES_OF_A_TASK + _FILES_OF_A_RANK * ranks
    if wanted < needed:
        raise ExecutorError(f'a process may have {wanted} files open, but the task needs {needed}: {_MORE_FILES}')


def limit_reached(error: BaseException) -> Optional[ExecutorError]:
    """Return the error that tells of a limit which was reached, also where `error` only follows; None for others."""
    for each in _chain(error):
        if _FILES.search(str(each)):
            allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            return ExecutorError(
                f'too many files are open, a process may have {allowed}: {_MORE_FILES}, or set workers_per_gpu or '
                f'samples_per_gpu lower ({first_line(each)})'
            )
    if isinstance(error, (BlockingIOError, RuntimeError)) and _PROCESSES.search(str(error)):
        return ExecutorError(
            'too many processes and threads run: allow more (docker run --pids-limit), or set workers_per_gpu lower '
            f'({first_line(error)})'
        )
    if isinstance(error, (EOFError, ConnectionError)) and _began_a_process(error):
        return ExecutorError(
            'the process that starts loading processes has ended, for want of memory or of processes: give more '
            'memory, allow more processes (docker run --pids-limit), or set workers_per_gpu lower'
        )
    if isinstance(error, OSError) and 'AF_UNIX path too long' in str(error):
        return ExecutorError(f'the folder for temporary files has too long a name: set a shorter TMPDIR ({error})')
    return None


def _began_a_process(error: BaseException) -> bool:
    """Say whether it was raised as the fork server was asked for a process."""
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(file == popen_forkserver.__file__ for file in files)


def _chain(error: Optional[BaseException]) -> Iterator[BaseException]:
    """Give an error, what caused it, and so on."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
