"""What goes wrong in a process reaches the parent, once."""

from __future__ import annotations

import multiprocessing

import pytest

from executor.contract.errors import DatasetError, OutOfMemoryError
from executor.process import reports
from executor.process.reports import report

LOST = RuntimeError('[gloo/transport/tcp/pair.cc:534] Connection reset by peer')


@pytest.fixture
def queue():
    return multiprocessing.get_context('spawn').SimpleQueue()


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """How long a process waited, without the waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(reports.time, 'sleep', seconds.append)
    return seconds


def test_the_first_failure_is_told_as_ours(ymir_task, queue, waits):
    report(MemoryError(), ymir_task.job(), queue)
    report(DatasetError('a second one'), ymir_task.job(), queue)
    assert queue.get().kind == OutOfMemoryError.__name__
    assert queue.empty()
    assert waits == []


def test_one_that_missed_another_lets_it_speak_first(ymir_task, queue, monkeypatch):
    monkeypatch.setattr(reports.time, 'sleep', lambda s: report(DatasetError('the cause'), ymir_task.job(), queue))
    report(LOST, ymir_task.job(), queue)
    assert queue.get().message == 'the cause'
    assert queue.empty()


def test_where_no_cause_shows_the_consequence_is_told(ymir_task, queue, waits):
    report(LOST, ymir_task.job(), queue)
    assert 'Connection reset by peer' in queue.get().message
    assert len(waits) == 1
    assert waits[0] > 2  # the launcher looks every second
