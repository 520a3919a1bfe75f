"""The light parent's side: start the worker, outlive it, and turn its death into a failure to report."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import multiprocessing
import os
import signal
from typing import Any, NoReturn, Optional

from executor.contract.errors import ExecutorError, GpuMemoryError
from executor.contract.failure import Failure, death_of, failure_of
from executor.contract.output.parts import remove_parts
from executor.contract.params import Job
from executor.process.temporary_folder import scratch_folder

logger = logging.getLogger(__name__)

_STOP_SECONDS = 8  # docker stop kills after 10


class WorkerFailed(ExecutorError):
    """The worker ended without finishing its task; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Terminated(ExecutorError):
    """The task was asked to stop (SIGTERM)."""


def heed_termination() -> None:
    """Have SIGTERM raise `Terminated` from now on, wherever this process is."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def ignore_termination() -> None:
    """Let nothing interrupt this process on its last steps; SIGKILL follows soon enough."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def run_in_worker(job: Job, cpu_ranks: int = 1) -> None:
    """Run a task in a process of its own and wait for it.

    A training whose batch is too large for the GPU begins again with half of it, down to one image, unless it has saved
    a stage already, which beginning again would lose.

    `cpu_ranks` is the number of processes to work with where the task has no GPU.

    Raises:
        WorkerFailed: the worker raised, exited or was killed.
        Terminated: this process got SIGTERM, see `heed_termination`; the worker is gone.
    """
    while True:
        try:
            return _run_once(job, cpu_ranks)
        except WorkerFailed as error:
            smaller = _with_half_the_batch(job, error.failure)
            if smaller is None:
                raise
            logger.warning('%s', error.failure.message)
            logger.warning('beginning again with half the batch: samples_per_gpu %d', smaller.training.samples_per_gpu)
            job = smaller


def _with_half_the_batch(job: Job, failure: Failure) -> Optional[Job]:
    """The job to begin again with, None where a smaller batch does not help, there is none, or stages would be lost."""
    training = job.training
    if failure.kind != GpuMemoryError.__name__ or training is None or training.samples_per_gpu == 1:
        return None
    if job.env.output.training_result_file.exists() or 'train_dataloader.batch_size' in training.cfg_options:
        return None
    return dataclasses.replace(
        job, training=dataclasses.replace(training, samples_per_gpu=training.samples_per_gpu // 2)
    )


def _run_once(job: Job, cpu_ranks: int) -> None:
    # A fresh interpreter: nothing of this process, and no CUDA state, is inherited.
    context = multiprocessing.get_context('spawn')
    reports = context.SimpleQueue()
    worker = context.Process(target=_work, args=(job, cpu_ranks, reports), name='worker')
    with scratch_folder(job.env.output.root_dir):
        try:
            worker.start()
            worker.join()
        finally:
            previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _stop(worker)
            remove_parts(job.env)  # a worker that is killed leaves them
            signal.signal(signal.SIGTERM, previous)
    if worker.exitcode != 0:
        raise WorkerFailed(_failure(worker.exitcode, reports))


def _work(job: Job, cpu_ranks: int, reports: Any) -> None:
    os.setpgid(0, 0)  # so that whatever this process starts can be ended with it
    from executor.process.worker import work  # imports torch, so only in the worker

    work(job, cpu_ranks, reports)


def _raise_terminated(signum: int, frame: Any) -> NoReturn:
    raise Terminated(
        'the task was stopped from outside (SIGTERM) before it was done: start it again; stages saved before stay valid'
    )


def _stop(worker: Any) -> None:
    """End the worker, if it has not ended, and then the loading processes that may have outlived it."""
    if worker.pid is None:
        return
    if worker.exitcode is None:
        _end_group(worker, signal.SIGTERM)
        worker.terminate()  # in case it has no group yet
        worker.join(_STOP_SECONDS)  # which is over when its loading processes are gone, too
    if worker.exitcode is None:
        worker.kill()
        worker.join()
    _end_group(worker, signal.SIGKILL)


def _end_group(worker: Any, sent: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left
        os.killpg(worker.pid, sent)


def _failure(exitcode: int, reports: Any) -> Failure:
    if not reports.empty():
        return reports.get()  # the first failure; other ranks only follow it
    return failure_of(death_of(exitcode))
