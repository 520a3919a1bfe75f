"""The parent's side: what it does when the worker fails, and when it is told to stop."""

from __future__ import annotations

import dataclasses
import os
import signal
from contextlib import nullcontext

import pytest

from executor.contract.failure import Failure
from executor.process import parent
from executor.process.parent import Terminated, WorkerFailed, heed_termination, run_in_worker


def smaller(job, failure):
    """A retry that halves the batch after a failure whose code is 1."""
    infer = dataclasses.replace(job.infer, samples_per_gpu=job.infer.samples_per_gpu // 2)
    return dataclasses.replace(job, infer=infer) if failure.code == 1 else None


@pytest.mark.parametrize(
    'fits, code, started, fails', [(8, 1, [8], False), (3, 1, [8, 4, 2], False), (3, 2, [8], True)]
)
def test_a_failed_task_begins_again_as_its_retry_says(ymir_task, monkeypatch, fits, code, started, fails):
    batches = []

    def run_once(job, cpu_ranks):
        batches.append(job.infer.samples_per_gpu)
        if batches[-1] > fits:
            raise WorkerFailed(Failure(code, 'too large', ''))

    monkeypatch.setattr(parent, '_run_once', run_once)
    with pytest.raises(WorkerFailed, match='too large') if fails else nullcontext() as caught:
        run_in_worker(ymir_task.job('infer', samples_per_gpu=8), 1, smaller)
    assert batches == started
    assert not fails or caught.value.failure.code == code


@pytest.fixture
def termination():
    """What SIGTERM does, put back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def assert_sigterm_is_heeded() -> None:
    with pytest.raises(Terminated, match=r'stopped from outside \(SIGTERM\)') as caught:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            os.getpid()
    assert caught.value.code == 160004


def test_sigterm_is_heeded_wherever_the_process_is(termination):
    heed_termination()
    assert_sigterm_is_heeded()


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
    assert_sigterm_is_heeded()
