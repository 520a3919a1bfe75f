"""The parent's side: what it does when the worker's GPU is too small."""

from __future__ import annotations

import os
import signal

import pytest

from executor.contract.failure import Failure
from executor.process import parent as launch
from executor.process.parent import Terminated, WorkerFailed, heed_termination, run_in_worker

GPU_MEMORY = Failure(300103, 'out of GPU memory', '', kind='GpuMemoryError')
OTHER_MEMORY = Failure(300103, 'out of memory', '', kind='OutOfMemoryError')


@pytest.fixture
def worker(monkeypatch):
    """Batch sizes that a worker was started with; it fails above `fits`."""
    started = []

    def start(fits: int, failure: Failure = GPU_MEMORY):
        def run_once(job, cpu_ranks):
            started.append((job.training or job.infer).samples_per_gpu)
            if started[-1] > fits:
                raise WorkerFailed(failure)

        monkeypatch.setattr(launch, '_run_once', run_once)
        return started

    return start


@pytest.mark.parametrize(
    'samples, fits, expected', [(16, 16, [16]), (16, 4, [16, 8, 4]), (7, 2, [7, 3, 1]), (1, 1, [1])]
)
def test_a_training_begins_again_with_half_the_batch(ymir_task, worker, caplog, samples, fits, expected):
    started = worker(fits)
    run_in_worker(ymir_task.job('training', samples_per_gpu=samples))
    assert started == expected
    assert [f'samples_per_gpu {size}' in caplog.text for size in expected[1:]] == [True] * (len(expected) - 1)


@pytest.mark.parametrize(
    'task, options, failure, fits, expected',
    [
        ('training', {'samples_per_gpu': 4}, GPU_MEMORY, 0, [4, 2, 1]),  # not even one image
        ('training', {'samples_per_gpu': 4}, OTHER_MEMORY, 0, [4]),
        ('training', {'samples_per_gpu': 4, 'cfg_options': 'train_dataloader.batch_size=4'}, GPU_MEMORY, 0, [4]),
        ('infer', {'samples_per_gpu': 4}, GPU_MEMORY, 0, [4]),  # the detector has halved it already
    ],
)
def test_when_a_smaller_batch_does_not_help(ymir_task, worker, task, options, failure, fits, expected):
    started = worker(fits, failure)
    with pytest.raises(WorkerFailed) as error:
        run_in_worker(ymir_task.job(task, **options))
    assert error.value.failure.code == 300103
    assert started == expected


def test_stages_that_were_saved_are_not_lost_for_a_smaller_batch(ymir_task, worker):
    started = worker(fits=1)
    job = ymir_task.job('training', samples_per_gpu=4)
    ymir_task.write('out/models/result.yaml', 'best_stage_name: epoch_1\n')
    with pytest.raises(WorkerFailed):
        run_in_worker(job)
    assert started == [4]


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
    monkeypatch.setattr(launch.multiprocessing, 'get_context', lambda method: context)
    heed_termination()
    with pytest.raises(Terminated):
        run_in_worker(ymir_task.job())
    assert worker.stopped
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            os.getpid()
