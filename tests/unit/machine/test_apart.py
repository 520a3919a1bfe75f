"""A function in a process of its own."""

from __future__ import annotations

import os
import random
import signal
import time

import numpy as np
import pytest

from executor.machine.apart import run_apart


def test_it_returns_what_is_made_and_changes_nothing_here():
    before = random.getstate(), np.random.get_state()[1].tolist()
    seen: list[int] = []
    made = run_apart(lambda: (os.getpid(), random.random(), np.random.rand(), seen.append(1)), seconds=30)
    assert made[0] != os.getpid() and seen == []
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert random.random() == made[1]


def test_a_large_result_comes_whole():
    assert run_apart(lambda: 'x' * 10**7, seconds=30) == 'x' * 10**7


def test_a_failure_is_told():
    with pytest.raises(ChildProcessError, match='ValueError: no such thing'):
        run_apart(lambda: int('7') and (_ for _ in ()).throw(ValueError('no such thing\nat all')), seconds=30)


def test_what_cannot_be_sent_is_told():
    with pytest.raises(ChildProcessError, match='pickle'):
        run_apart(lambda: lambda: 1, seconds=30)


def test_a_kill_is_told():
    with pytest.raises(ChildProcessError, match=r'killed \(exit status -9\)'):
        run_apart(lambda: os.kill(os.getpid(), signal.SIGKILL), seconds=30)


def test_what_takes_too_long_is_ended(tmp_path):
    pid = tmp_path / 'pid'
    with pytest.raises(TimeoutError, match=r'longer than 0\.5 s'):
        run_apart(lambda: pid.write_text(str(os.getpid())) and time.sleep(600), seconds=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
