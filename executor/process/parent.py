"""Start the worker, outlive it, and turn its death into a failure to report: the light parent's side."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from types import FrameType
from typing import Callable, NoReturn, Optional

from executor.contract.errors import ExecutorError
from executor.contract.failure import Failure, death_of, failure_of
from executor.contract.output.parts import remove_parts
from executor.contract.output.sole_use import hold
from executor.contract.params import Job
from executor.machine.lifetime import die_with_parent
from executor.process.temporary_folder import temporary_folder

# Makes of a job that failed the one to begin again with, or None where that would not help.
Retry = Callable[[Job, Failure], Optional[Job]]

_STOP_SECONDS = 8  # docker stop kills after 10


class WorkerFailed(ExecutorError):
    """The worker ended without finishing its task; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Terminated(ExecutorError):
    """The task was asked to stop (SIGTERM)."""


def _raise_terminated(signum: int, frame: Optional[FrameType]) -> NoReturn:
    problem = 'the task was stopped from outside (SIGTERM) before it was done'
    raise Terminated(f'{problem}: start it again; stages saved before stay valid')


def heed_termination() -> None:
    """Make SIGTERM raise `Terminated` from now on, wherever this process is."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def ignore_termination() -> None:
    """Let nothing interrupt this process on its last steps; SIGKILL follows soon enough."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def run_in_worker(job: Job, cpu_ranks: int, retry: Retry) -> None:
    """Run a task in a process of its own, on the CPU in `cpu_ranks` of them, and wait for it.

    Raises:
        WorkerFailed: the worker raised, exited or was killed.
        Terminated: this process got SIGTERM, see `heed_termination`; the worker is gone.
    """
    while True:
        try:
            return _run_once(job, cpu_ranks)
        except WorkerFailed as error:
            next_job = retry(job, error.failure)
            if next_job is None:
                raise
            job = next_job


def _run_once(job: Job, cpu_ranks: int) -> None:
    # A fresh interpreter: nothing of this process, and no CUDA state, is inherited.
    context = multiprocessing.get_context('spawn')
    reports = context.SimpleQueue()
    worker = context.Process(target=_work, args=(job, cpu_ranks, reports), name='worker')
    with temporary_folder(job.env.output.root_dir):
        try:
            worker.start()
            worker.join()
        finally:
            previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _stop(worker)
            remove_parts(job.env)  # a worker that is killed leaves them
            signal.signal(signal.SIGTERM, previous)
    exitcode = worker.exitcode
    assert exitcode is not None, 'the worker has been waited for'
    if exitcode != 0:
        # The first failure; other ranks only follow it.
        raise WorkerFailed(failure_of(death_of(exitcode)) if reports.empty() else reports.get())


def _work(job: Job, cpu_ranks: int, reports: SimpleQueue[Failure]) -> None:
    os.setpgid(0, 0)  # so that whatever this process starts can be ended with it
    hold(job.env.output.root_dir)
    die_with_parent()
    from executor.process.worker import work  # imports torch, so only in the worker

    work(job, cpu_ranks, reports)


def _stop(worker: BaseProcess) -> None:
    """End the worker, if it has not ended, and then the loading processes that may have outlived it."""
    group = worker.pid
    if group is None:  # never started
        return
    if worker.exitcode is None:
        _end_group(group, signal.SIGTERM)
        worker.terminate()  # in case it has no group yet
        worker.join(_STOP_SECONDS)  # which is over when its loading processes are gone, too
    if worker.exitcode is None:
        worker.kill()
        worker.join()
    _end_group(group, signal.SIGKILL)


def _end_group(group: int, sent: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left
        os.killpg(group, sent)
