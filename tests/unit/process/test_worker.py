"""What the worker hands to its ranks, and what it leaves to libraries in the environment."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from executor import dist
from executor.contract import errors
from executor.process import ranks, worker
from executor.process.node import ALONE
from executor.process.reports import report
from tests.support.reports import Reports

FOUR = {'OMP_NUM_THREADS': '4'}


@pytest.fixture
def reports(monkeypatch, tmp_path) -> Reports:
    """A queue, while this process is a worker on a machine of six cores."""
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(6)))
    monkeypatch.setattr(os, 'environ', {'PATH': os.environ['PATH']})
    monkeypatch.setattr(worker, 'die_with_parent', lambda: None)
    monkeypatch.setattr(worker, 'set_up_logging', lambda: None)
    return Reports()


@pytest.mark.parametrize(
    'given, cpu_ranks, cores, left',
    [({}, 1, 6, None), ({}, 2, 3, '3'), (FOUR, 1, 4, '4'), (FOUR, 2, 4, '4')],  # OpenMP takes all 6 by itself
)
def test_cores_go_to_the_ranks_as_an_argument(ymir_task, monkeypatch, reports, given, cpu_ranks, cores, left):
    os.environ.update(given)
    started = []
    monkeypatch.setattr(worker, 'run_rank', lambda job, cores, reports: started.append((1, cores)))
    monkeypatch.setattr(
        ranks, 'run_ranks', lambda count, node, run, job, cores, reports: started.append((count, cores))
    )
    worker.work(ymir_task.job(), cpu_ranks, ALONE, reports)
    assert started == [(cpu_ranks, cores)]
    assert os.environ.get('OMP_NUM_THREADS') == left
    assert os.environ['CUDA_VISIBLE_DEVICES'] == ''


@pytest.mark.parametrize('given, left', [({}, '/cache/3'), ({'XDG_CACHE_HOME': '/kept'}, '/kept')])
def test_caches_of_libraries_are_a_ranks_own(ymir_task, monkeypatch, reports, given, left):
    os.environ.update(given, LOCAL_RANK='3')
    seen = []
    monkeypatch.setattr(worker, 'check_gpus', lambda gpu_ids, local_rank: seen.append(os.environ['XDG_CACHE_HOME']))
    monkeypatch.setattr(dist, 'start', lambda use_gpu: sys.exit())
    monkeypatch.setattr(os, '_exit', lambda status: None)
    worker.run_rank(ymir_task.job(), 1, reports)
    assert [place[-len(left) :] for place in seen] == [left]


@pytest.mark.parametrize(
    'given, left',
    [
        ({}, '1000'),
        ({'GOMP_SPINCOUNT': '7'}, '7'),
        ({'OMP_WAIT_POLICY': 'active'}, None),  # a count would overrule it
    ],
)
def test_threads_spin_for_each_other_shortly_unless_the_user_says_how_long(
    ymir_task, monkeypatch, reports, given, left
):
    os.environ.update(given)
    seen = []
    monkeypatch.setattr(worker, 'run_rank', lambda *arguments: seen.append(os.environ.get('GOMP_SPINCOUNT')))
    worker.work(ymir_task.job(), 1, ALONE, reports)
    assert seen == [left]


def test_the_libgomp_that_torch_loads_reads_the_count():
    """It says itself, at its start, what it has read: the variable is its own, and no part of OpenMP."""
    environment = {**os.environ, 'OMP_DISPLAY_ENV': 'verbose', 'GOMP_SPINCOUNT': '1000'}
    environment.pop('OMP_WAIT_POLICY', None)
    command = [sys.executable, '-c', 'import torch']
    told = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=True).stderr
    assert re.search(r"GOMP_SPINCOUNT = '1000'", told)


def test_a_gpu_that_is_not_there_ends_the_worker(ymir_task, reports):
    os.environ['CUDA_VISIBLE_DEVICES'] = '3'
    with pytest.raises(errors.NoGpuError):
        worker.work(ymir_task.job(gpu_id='0,1', gpu_count=2), 1, ALONE, reports)


@pytest.mark.parametrize(
    'exitcode, told, error, left',
    [
        (-9, [], errors.OutOfMemoryError, []),
        (-9, ['of one that missed it'], errors.OutOfMemoryError, []),
        (-7, ['of one that missed it'], errors.OutOfMemoryError, []),
        (1, ['its own words', 'of another'], SystemExit, ['its own words', 'of another']),
        (-6, ['its own words'], SystemExit, ['its own words']),  # NCCL ended one that missed it
        (-15, ['its own words'], SystemExit, ['its own words']),
        (1, [], errors.ExecutorError, []),
    ],
)
def test_the_death_of_a_rank_is_told_and_not_what_others_said_of_it(
    ymir_task, monkeypatch, reports, exitcode, told, error, left
):
    def launch(*arguments):
        reports.extend(told)
        raise ChildFailedError('run_rank', {0: ProcessFailure(0, 1234, exitcode, '')})

    monkeypatch.setattr(ranks, 'elastic_launch', lambda config, run: launch)
    with pytest.raises(error) as caught:
        worker.work(ymir_task.job(), 2, ALONE, reports)
    assert type(caught.value) is error
    assert reports == left


# --- ranks of torch's own launcher ----------------------------------------------------------------------------------


def rank_that_ends(job, cores, queue) -> None:
    """Rank 1 ends as `cores` says; rank 0 notices at once, and says so before the launcher looks."""
    try:
        if os.environ['LOCAL_RANK'] == '0':
            raise RuntimeError('[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer')
        time.sleep(0.2)
        if cores < 0:
            os.kill(os.getpid(), -cores)
        raise errors.DatasetError('its own words')
    except Exception as error:
        report(error, job, queue)
        os._exit(1)


def launch(job, ending: int, queue) -> None:
    try:
        ranks.run_ranks(2, ALONE, rank_that_ends, job, ending, queue)
    except errors.ExecutorError as error:
        report(error, job, queue)


@pytest.mark.parametrize('ending, code', [(-signal.SIGKILL, 300103), (0, 300002)], ids=['killed', 'failed'])
def test_a_rank_that_is_lost_is_told_and_not_that_another_missed_it(ymir_task, ending, code):
    context = multiprocessing.get_context('spawn')
    queue = context.SimpleQueue()
    process = context.Process(target=launch, args=(ymir_task.job(), ending, queue))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    assert not queue.empty()
    assert queue.get().code == code
    assert queue.empty()
