"""Counts and times of a sweep: of one rank, of several as one, and in words."""

from __future__ import annotations

from typing import Sequence

import pytest

from executor.detection.statistics import DECODING, FINDING, NETWORK, PREPARING, SCORING, Statistics, Stopwatch, merged


def statistics_of(images: int, broken: Sequence[int] = (), work=None, **more: float) -> Statistics:
    named = [(position, f'image {position}') for position in broken]
    return Statistics(images, len(broken), named, work=work or {}, **more)


def all_kinds(**seconds: float) -> dict[str, float]:
    kinds = dict.fromkeys((DECODING, PREPARING, NETWORK, FINDING, SCORING), 0.0)
    return {**kinds, **seconds}


THREE = [
    statistics_of(30, [0, 2, 4, 6, 8], {DECODING: 1.0, PREPARING: 2.0, NETWORK: 4.0, SCORING: 2.0}, seconds=3.0),
    statistics_of(30, [1, 3, 5], {DECODING: 0.5, PREPARING: 0.25, NETWORK: 0.125, FINDING: 0.5}, waited=0.75),
    statistics_of(29, [7, 9, 10, 11], {DECODING: 8.0, PREPARING: 8.0, NETWORK: 8.0, SCORING: 0.5}, seconds=2.0),
]
WORK_OF_THREE = {DECODING: 9.5, PREPARING: 10.25, NETWORK: 12.125, FINDING: 0.5, SCORING: 2.5}
FIRST_TEN = [(position, f'image {position}') for position in range(10)]


@pytest.mark.parametrize(
    'ranks, expected',
    [
        ([Statistics()], statistics_of(0, work=all_kinds())),
        ([Statistics(), Statistics()], statistics_of(0, work=all_kinds())),
        ([statistics_of(3, [1])], statistics_of(3, [1], work=all_kinds())),
        (
            [statistics_of(3, [4], seconds=5.0), statistics_of(2, [1, 7], seconds=9.0)],
            statistics_of(5, [1, 4, 7], seconds=9.0, work=all_kinds()),
        ),
        (THREE, Statistics(89, 12, FIRST_TEN, seconds=3.0, work=WORK_OF_THREE, waited=0.25)),
    ],
    ids=['nothing', 'two of nothing', 'alone', 'two', 'three'],
)
def test_merged(ranks, expected):
    assert merged(ranks) == expected


def test_merged_counts_the_broken_that_are_not_named():
    ten = Statistics()
    for position in range(15):
        ten.count_broken(position, f'image {position}')
    assert [position for position, _ in ten.first_broken] == list(range(10))
    assert merged([ten, statistics_of(20, range(100, 110))]).broken == 25


SCORES = {DECODING: 0.004, SCORING: 0.016}
ALL_BUT_SCORES = {DECODING: 0.05, PREPARING: 0.0234, NETWORK: 0.4, FINDING: 1, SCORING: 0}
MANY = 'decode 5.00 ms, resize 2.34 ms, network 40.00 ms, post-processing 100.00 ms'


@pytest.mark.parametrize(
    'statistics, times, percent',
    [
        (Statistics(), '', 0),
        (Statistics(4, seconds=1, work=SCORES, waited=0.5), 'decode 1.00 ms, scoring 4.00 ms', 50),
        (Statistics(12, broken=2, seconds=8, work=ALL_BUT_SCORES, waited=2), MANY, 25),
        (Statistics(3, broken=3, seconds=1, work={NETWORK: 0.001}, waited=1), 'network 1.00 ms', 100),
    ],
    ids=['nothing', 'no network', 'numbers', 'all broken'],
)
def test_describe_time(statistics, times, percent):
    expected = f'{times} an image; the detector waited for images {percent}% of the time'
    assert statistics.describe_time() == expected


def test_ranks_that_each_waited_half_of_the_time_waited_half_of_the_time():
    ranks = [Statistics(images=10, seconds=8.0, waited=4.0) for _ in range(3)]
    assert merged(ranks).describe_time().endswith('waited for images 50% of the time')


def test_a_stopwatch_counts_what_failed_as_well(monkeypatch):
    now = iter([1.0, 3.5, 10.0, 10.25])
    monkeypatch.setattr('executor.detection.statistics.time.perf_counter', lambda: next(now))
    stopwatch = Stopwatch()
    with stopwatch.timed(NETWORK):
        pass
    with pytest.raises(ValueError), stopwatch.timed(NETWORK):
        raise ValueError
    assert stopwatch.seconds == all_kinds(network=2.75)
