"""How many cores a process has."""

from __future__ import annotations

import os

import pytest

from executor.machine.cores import available_cores, share_of_cores


@pytest.mark.parametrize(
    'chosen, processes, expected',
    [
        (None, 1, 6),
        (None, 4, 1),
        (None, 8, 1),
        ('4', 2, 4),  # OpenMP's number is one a process
        ('4,2', 1, 4),  # and may be several, one a level
        ('', 1, 6),
        ('0', 1, 6),
        ('many', 2, 3),
    ],
)
def test_available_cores(monkeypatch, chosen, processes, expected):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(6)))
    monkeypatch.setattr(os, 'environ', {} if chosen is None else {'OMP_NUM_THREADS': chosen})
    assert available_cores(processes) == expected


@pytest.mark.parametrize('processes, expected', [(1, 6), (2, 3), (4, 1), (8, 1)])
def test_the_share_of_cores_is_not_what_openmp_is_told(monkeypatch, processes, expected):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(6)))
    monkeypatch.setenv('OMP_NUM_THREADS', '2')
    assert share_of_cores(processes) == expected
