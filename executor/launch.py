"""The light parent's side: start the worker, outlive it, and turn its death into a failure to report."""

from __future__ import annotations

import multiprocessing
import signal
from typing import Any, NoReturn

from executor.contract.errors import ExecutorError
from executor.contract.failure import Failure, death_of, failure_of
from executor.contract.params import Job

_STOP_SECONDS = 8  # docker stop kills after 10


class WorkerFailed(ExecutorError):
    """The worker ended without finishing its task; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Terminated(ExecutorError):
    """The task was asked to stop (SIGTERM)."""


def run_in_worker(job: Job, cpu_ranks: int = 1) -> None:
    """Run a task in a process of its own and wait for it.

    `cpu_ranks` is the number of processes to work with where the task has no GPU.

    Raises:
        WorkerFailed: the worker raised, exited or was killed.
        Terminated: this process got SIGTERM; the worker is gone.
    """
    # A fresh interpreter: nothing of this process, and no CUDA state, is inherited.
    context = multiprocessing.get_context('spawn')
    reports = context.SimpleQueue()
    worker = context.Process(target=_work, args=(job, cpu_ranks, reports), name='worker')
    previous = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        worker.start()
        worker.join()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _stop(worker)
        signal.signal(signal.SIGTERM, previous)
    if worker.exitcode != 0:
        raise WorkerFailed(_failure(worker.exitcode, reports))


def _work(job: Job, cpu_ranks: int, reports: Any) -> None:
    from executor.worker import work  # imports torch, so only in the worker

    work(job, cpu_ranks, reports)


def _raise_terminated(signum: int, frame: Any) -> NoReturn:
    raise Terminated('the task was stopped from outside (SIGTERM) before it was done')


def _stop(worker: Any) -> None:
    if worker.pid is None or worker.exitcode is not None:
        return
    worker.terminate()
    worker.join(_STOP_SECONDS)
    if worker.exitcode is None:
        worker.kill()
        worker.join()


def _failure(exitcode: int, reports: Any) -> Failure:
    if not reports.empty():
        return reports.get()  # the first failure; other ranks only follow it
    return failure_of(death_of(exitcode))
