"""The parent's side: what it does when the worker fails, and when it is told to stop."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest

from executor.contract.failure import Failure
from executor.process import parent
from executor.process.parent import Terminated, WorkerFailed, heed_termination, run_in_worker


@pytest.fixture
def worker(monkeypatch):
    """Batch sizes that a worker was started with; it fails above `fits`."""
    started = []

    def start(fits: int, failure: Failure):
        def run_once(job, cpu_ranks):
            started.append(job.infer.samples_per_gpu)
            if started[-1] > fits:
                raise WorkerFailed(failure)

        monkeypatch.setattr(parent, '_run_once', run_once)
        return started

    return start


def smaller(job, failure):
    """A retry that halves the batch of any failure whose code is 1."""
    if failure.code != 1:
        return None
    return dataclasses.replace(
        job, infer=dataclasses.replace(job.infer, samples_per_gpu=job.infer.samples_per_gpu // 2)
    )


@pytest.mark.parametrize('fits, expected', [(8, [8]), (3, [8, 4, 2])])
def test_a_failed_task_begins_again_as_its_retry_says(ymir_task, worker, fits, expected):
    started = worker(fits, Failure(1, 'too large', ''))
    run_in_worker(ymir_task.job('infer', samples_per_gpu=8), 1, smaller)
    assert started == expected


def test_a_task_that_is_not_tried_again_fails(ymir_task, worker):
    started = worker(3, Failure(2, 'broken', ''))
    with pytest.raises(WorkerFailed, match='broken') as error:
        run_in_worker(ymir_task.job('infer', samples_per_gpu=8), 1, smaller)
    assert error.value.failure.code == 2
    assert started == [8]


@pytest.fixture
def termination():
    """What SIGTERM does, put back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_sigterm_is_heeded_wherever_the_process_is(termination):
    heed_termination()
    with pytest.raises(Terminated, match=r'stopped from outside \(SIGTERM\)') as caught:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            os.getpid()
    assert caught.value.code == 160004


class StoppedWorker:
    """A worker during whose run SIGTERM arrives, and again while it is being stopped."""

    pid, exitcode = 2**31 - 1, None  # no process has this number

    def __init__(self) -> None:
        self.stopped = False

    def start(self) -> None:
        pass

    def join(self, seconds: float = 0) -> None:
        if not self.stopped:
            os.kill(os.getpid(), signal.SIGTERM)

    def terminate(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        self.stopped, self.exitcode = True, -signal.SIGTERM


def test_sigterm_stops_the_worker_and_stays_heeded(ymir_task, monkeypatch, termination):
    worker = StoppedWorker()
    context = type('Context', (), {'SimpleQueue': lambda self: None, 'Process': lambda self, **values: worker})()
    monkeypatch.setattr(parent.multiprocessing, 'get_context', lambda method: context)
    heed_termination()
    with pytest.raises(Terminated):
        run_in_worker(ymir_task.job(), 1, smaller)
    assert worker.stopped
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            os.getpid()
