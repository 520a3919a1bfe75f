"""The parent's side: what it does when the worker fails, and when it is told to stop."""

from __future__ import annotations

import dataclasses
import gc
import signal
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from executor.contract.failure import Failure, WorkerFailed
from executor.process import parent
from executor.process.node import ALONE, Node
from executor.process.parent import run_in_worker
from executor.process.termination import STOPS, Terminated, heed_termination, heeded


def smaller(job, failure):
    """A retry that halves the batch after a failure whose code is 1."""
    infer = dataclasses.replace(job.infer, samples_per_gpu=job.infer.samples_per_gpu // 2)
    return dataclasses.replace(job, infer=infer) if failure.code == 1 else None


@pytest.mark.parametrize(
    'fits, code, started, fails', [(8, 1, [8], False), (3, 1, [8, 4, 2], False), (3, 2, [8], True)]
)
def test_a_failed_task_begins_again_as_its_retry_says(ymir_task, monkeypatch, fits, code, started, fails):
    batches, attempts = [], []

    def run_once(job, cpu_ranks, node):
        attempts.append(node.attempt)
        batches.append(job.infer.samples_per_gpu)
        if batches[-1] > fits:
            raise WorkerFailed(Failure(code, 'too large', ''))

    monkeypatch.setattr(parent, '_run_once', run_once)
    with pytest.raises(WorkerFailed, match='too large') if fails else nullcontext() as caught:
        run_in_worker(ymir_task.job('infer', samples_per_gpu=8), 1, ALONE, smaller)
    assert batches == started
    assert attempts == list(range(1, len(started) + 1))  # the same on all machines that share the task
    assert not fails or caught.value.failure.code == code


@pytest.fixture
def stops():
    """None is ignored, as where the tests run in the background; what signals do and which are put off is put back."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOPS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Worker:
    """A worker to whose parent signals come in given moments, and that ends when it is told to, or by itself."""

    pid = exitcode = None

    def __init__(self, ends: bool, *moments: str) -> None:
        self.moments = moments
        self.ends = ends
        self.stopped = False

    def start(self) -> None:
        self.signal_in('start')
        self.pid = 2**31 - 1  # no process has this number
        self.signal_in('run')
        self.signal_in('run')  # a second Ctrl-C
        self.exitcode = 1 if self.ends else None

    def terminate(self) -> None:
        self.signal_in('stop')
        self.stopped, self.exitcode = True, -signal.SIGTERM

    def join(self, seconds: float = 0) -> None:
        pass

    def signal_in(self, moment: str) -> None:
        if moment in self.moments:
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            for _ in range(1000):
                pass


class Reports:
    """A queue in which nothing is."""

    def empty(self) -> bool:
        return True


@pytest.mark.parametrize(
    'worker, kind, left_heeded',
    [
        (Worker(False, 'start'), Terminated, set()),
        (Worker(False, 'run'), Terminated, set()),
        (Worker(False, 'run', 'stop'), Terminated, set()),
        (Worker(True, 'run'), Terminated, set()),  # and would else begin again
        (Worker(True), WorkerFailed, set(STOPS)),
    ],
    ids=lambda value: '-'.join(value.moments) if isinstance(value, Worker) else '',
)
def test_a_signal_stops_a_worker_that_was_started(ymir_task, monkeypatch, stops, worker, kind, left_heeded):
    """At whatever moment it comes, the worker is known and is ended before that is told, and nothing stays behind."""
    context = type('Context', (), {'SimpleQueue': Reports, 'Process': lambda self, **values: worker})()
    monkeypatch.setattr(parent.multiprocessing, 'get_context', lambda method: context)
    parts = ymir_task.write('out/.parts/infer-0.tsv', '')
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    heed_termination()
    with pytest.raises(kind):
        run_in_worker(ymir_task.job('infer'), 1, ALONE, smaller)
    assert worker.stopped is not worker.ends
    assert not parts.parent.exists()
    assert heeded() == left_heeded
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_an_ignored_signal_does_not_stop_a_worker(ymir_task, monkeypatch, stops):
    worker = Worker(False, 'run')
    context = type('Context', (), {'SimpleQueue': Reports, 'Process': lambda self, **values: worker})()
    monkeypatch.setattr(parent.multiprocessing, 'get_context', lambda method: context)
    monkeypatch.setattr(parent, '_LOOK_SECONDS', 0.01)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heed_termination()

    def sigtimedwait(awaited, seconds, real=signal.sigtimedwait):
        found = real(awaited, seconds)
        worker.exitcode = 0
        return found

    monkeypatch.setattr(signal, 'sigtimedwait', sigtimedwait)
    run_in_worker(ymir_task.job('infer'), 1, ALONE, smaller)
    assert worker.exitcode == 0
    assert not worker.stopped


@pytest.mark.parametrize('node', [ALONE, Node(0, 2, 'here', 29400), Node(1, 2, 'here', 29400)], ids=str)
def test_the_first_machine_alone_holds_the_folder(ymir_task, monkeypatch, stops, node):
    """It claims the folder when it starts, which may be long after the others."""
    held, worked = [], []
    monkeypatch.setattr(parent, 'os', SimpleNamespace(setpgid=lambda *_: None))
    monkeypatch.setattr(parent, 'die_with_parent', lambda: None)
    monkeypatch.setattr(parent, 'hold', held.append)
    monkeypatch.setattr(parent, 'work', lambda *_: worked.append(node))
    job = ymir_task.job('infer')
    parent._work(job, 1, node, None)
    gc.unfreeze()
    assert (held, worked) == ([job.env.output.root_dir] if node.rank == 0 else [], [node])
