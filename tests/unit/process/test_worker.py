"""What the worker hands to its ranks, and what it leaves to libraries in the environment."""

from __future__ import annotations

import os

import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from executor.process import ranks, worker

FOUR = {'OMP_NUM_THREADS': '4'}


class Reports(list):
    """A queue within this process."""

    put = list.append

    def empty(self) -> bool:
        return not self


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
    monkeypatch.setattr(ranks, 'run_ranks', lambda count, run, job, cores, reports: started.append((count, cores)))
    worker.work(ymir_task.job(), cpu_ranks, reports)
    assert started == [(cpu_ranks, cores)]
    assert os.environ.get('OMP_NUM_THREADS') == left
    assert os.environ['CUDA_VISIBLE_DEVICES'] == ''
    assert os.environ['XDG_CACHE_HOME'].endswith('/cache')


def test_a_gpu_that_is_not_there_ends_the_worker(ymir_task, reports):
    os.environ['CUDA_VISIBLE_DEVICES'] = '3'
    with pytest.raises(SystemExit):
        worker.work(ymir_task.job(gpu_id='0,1', gpu_count=2), 1, reports)
    assert [failure.code for failure in reports] == [300102]


@pytest.mark.parametrize('told', [[], ['its own words']])
def test_a_rank_that_dies_without_a_word_is_told(ymir_task, monkeypatch, reports, told):
    def launch(*arguments):
        reports.extend(told)
        raise ChildFailedError('run_rank', {0: ProcessFailure(0, 1234, -9, '')})

    monkeypatch.setattr(ranks, 'elastic_launch', lambda config, run: launch)
    with pytest.raises(SystemExit):
        worker.work(ymir_task.job(), 2, reports)
    assert [getattr(failure, 'code', failure) for failure in reports] == (told or [300103])
