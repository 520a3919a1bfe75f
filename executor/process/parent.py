"""Start the worker, outlive it, and turn its death into a failure to report: the light parent's side."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import multiprocessing
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Callable, Iterator, Optional

from executor.contract.failure import Failure, WorkerFailed, death_of, failure_of
from executor.contract.output.parts import remove_parts
from executor.contract.output.sole_use import hold
from executor.contract.params import Job
from executor.machine.environment import environment
from executor.machine.lifetime import die_with_parent
from executor.process.node import Node
from executor.process.reports import report
from executor.process.temporary_folder import temporary_folder
from executor.process.termination import STOPS, heeded, raise_terminated
from executor.process.worker import work

# Makes of a job that failed the one to begin again with, or None where that would not help.
Retry = Callable[[Job, Failure], Optional[Job]]

_STOP_SECONDS = 8  # docker stop kills after 10
_LOOK_SECONDS = 5  # should the signal of a worker's end be lost


def run_in_worker(job: Job, cpu_ranks: int, node: Node, retry: Retry) -> None:
    """Run this machine's part of a task in a process of its own, on the CPU in `cpu_ranks` of them, and wait for it.

    Raises:
        WorkerFailed: the worker raised, exited or was killed.
        Terminated: this process was told to stop, see `heed_termination`; the worker is gone.
    """
    while True:
        try:
            return _run_once(job, cpu_ranks, node)
        except WorkerFailed as error:
            next_job = retry(job, error.failure)
            if next_job is None:
                raise
            job, node = next_job, dataclasses.replace(node, attempt=node.attempt + 1)


def _run_once(job: Job, cpu_ranks: int, node: Node) -> None:
    # A fresh interpreter: nothing of this process, and no CUDA state, is inherited.
    context = multiprocessing.get_context('spawn')
    # That starts Python's resource tracker, which complains where it is ended early, and of what it has to clean up.
    with _undisturbed(), environment(PYTHONWARNINGS='ignore'):
        reports = context.SimpleQueue()
    worker = context.Process(target=_work, args=(job, cpu_ranks, node, reports), name='worker')
    with _undisturbed(), temporary_folder(job.env.output.root_dir):
        try:
            worker.start()
            _wait_for(worker)
        finally:
            _stop(worker)
            if node.is_first:
                remove_parts(job.env)  # a worker that is killed leaves them
    exitcode = worker.exitcode
    assert exitcode is not None, 'the worker has been waited for'
    if exitcode != 0:
        # The first failure; other ranks only follow it.
        raise WorkerFailed(failure_of(death_of(exitcode)) if reports.empty() else reports.get())


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put signals off to the end of the block, so that what begins in it is known, and ended in it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *STOPS})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait_for(worker: BaseProcess) -> None:
    """Wait until the worker ends, or a signal asks to stop it."""
    awaited = {signal.SIGCHLD, *heeded()}  # and no others: put off, also those that are ignored are kept
    while worker.exitcode is None:
        found = signal.sigtimedwait(awaited, _LOOK_SECONDS)
        if found is not None and found.si_signo != signal.SIGCHLD:
            raise_terminated(found.si_signo)


def _work(job: Job, cpu_ranks: int, node: Node, reports: SimpleQueue[Failure]) -> None:
    try:
        os.setpgid(0, 0)  # so that whatever this process starts can be ended with it, and Ctrl-C is the parent's
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if node.is_first:  # who comes before it must not keep it out
            hold(job.env.output.root_dir)
        die_with_parent()
        work(job, cpu_ranks, node, reports)
    except BaseException as error:
        report(error, job, reports)
        sys.exit(1)
    finally:
        gc.freeze()  # a process looks through all that torch has loaded before it ends: a second, or many beside others


def _stop(worker: BaseProcess) -> None:
    """End the worker, if it has not ended, and then the loading processes that may have outlived it."""
    group = worker.pid
    if group is None:  # never started
        return
    if worker.exitcode is None:
        _end_group(group, signal.SIGTERM)
        worker.terminate()  # in case it has no group yet
        worker.join(_STOP_SECONDS)
    if worker.exitcode is None:
        worker.kill()
        worker.join()
    _end_group(group, signal.SIGKILL)


def _end_group(group: int, sent: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left
        os.killpg(group, sent)
