from __future__ import annotations

import math

import pytest

from executor.contract.progress import Progress


@pytest.mark.parametrize(
    'updates, told',  # updates: (seconds since the start, fraction); at most one call in 2 seconds
    [
        ([], []),
        ([(0, 0.0)], [0.0]),
        ([(0, 0.1)], [0.1]),
        ([(0, 0.1), (1, 0.2), (1.9, 0.3)], [0.1]),
        ([(0, 0.1), (1, 0.2), (2, 0.3)], [0.1, 0.3]),
        ([(0, 0.1), (1.9, 0.2), (3.8, 0.3), (3.9, 0.4)], [0.1, 0.3]),  # counted from the last call, not from 2, 4, ...
        ([(0, 0.5), (2, 0.3), (4, 0.6)], [0.5, 0.5, 0.6]),  # never falls
        ([(0, 0.1), (1, 0.5), (2, 0.2)], [0.1, 0.5]),  # what was too early to tell is not forgotten
        ([(0, 0.1), (0.5, 1.0)], [0.1, 1.0]),  # the end is told at once
        ([(0, 1), (3, 0.5)], [1.0, 1.0]),
        ([(0, 1.7)], [1.0]),
        ([(0, -0.2)], [0.0]),
        ([(0, 0.5), (2, math.nan), (4, 0.6)], [0.5, 0.5, 0.6]),
    ],
)
def test_what_is_told(updates, told):
    calls = []
    progress = Progress(calls.append, interval=2.0, clock=iter([1000.0 + seconds for seconds, _ in updates]).__next__)
    for _, fraction in updates:
        progress.update(fraction)
    assert calls == told
    assert [type(percent) for percent in calls] == [float] * len(told)


def test_a_numpy_fraction_is_told_as_a_plain_number():
    numpy = pytest.importorskip('numpy')
    calls = []
    Progress(calls.append).update(numpy.float32(0.25))
    assert calls == [0.25]
    assert type(calls[0]) is float


@pytest.mark.parametrize(
    'start, end, fractions, told',
    [
        (0.0, 0.5, [0, 0.5, 1], [0.0, 0.25, 0.5]),
        (0.5, 1.0, [0, 0.5, 1], [0.5, 0.75, 1.0]),
        (0.05, 0.95, [0.5], [0.5]),
        (0.0, 0.5, [2], [0.5]),  # a part does not run into the next
        (0.5, 1.0, [0.5, -1], [0.75, 0.75]),
        (0.0, 0.5, [0.5, math.nan, 1], [0.25, 0.25, 0.5]),
    ],
)
def test_a_part(start, end, fractions, told):
    calls = []
    part = Progress(calls.append, interval=0.0).part(start, end)
    for fraction in fractions:
        part.update(fraction)
    assert calls == pytest.approx(told)


def test_mining_and_inference_take_a_half_each():
    calls = []
    progress = Progress(calls.append, interval=0.0)
    mining, infer = progress.part(0, 0.5), progress.part(0.5, 1)
    updates = [(mining, 0), (mining, 0.5), (mining, 1), (infer, 0), (mining, 0.2), (infer, 0.5), (infer, 1)]
    for part, fraction in updates:
        part.update(fraction)
    assert calls == [0.0, 0.25, 0.5, 0.5, 0.5, 0.75, 1.0]


def test_parts_share_the_limit_in_time():
    calls = []
    progress = Progress(calls.append, interval=2.0, clock=iter([1000.0, 1000.0, 1002.0]).__next__)
    progress.part(0, 0.5).update(0.5)
    progress.part(0.5, 1).update(0.5)
    progress.part(0.5, 1).update(0.6)
    assert calls == [0.25, 0.8]


def test_a_task_that_begins_again_goes_on_from_where_it_was():
    calls = []
    progress = Progress(calls.append, interval=0.0, start=0.4)
    progress.update(0.1)
    progress.update(0.5)
    assert calls == [0.4, 0.5]
