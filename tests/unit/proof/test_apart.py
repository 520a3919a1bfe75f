"""A process apart: what it gives, says and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from proof.apart import Failed, run_apart


def test_what_it_makes_comes_back_and_what_it_says_is_kept(tmp_path):
    log = tmp_path / 'log'

    def make():
        print('to be kept')
        subprocess.run(['echo', 'by another program'], check=True)
        return os.getpid()

    assert run_apart(make, log, 60) != os.getpid()
    assert run_apart(lambda: {'a': 1}, log, 60) == {'a': 1}
    assert log.read_text() == 'to be kept\nby another program\n'


def test_a_failure_is_one_line_and_a_traceback_in_the_log(tmp_path):
    def make():
        raise ValueError('no good\nat all')

    with pytest.raises(Failed, match=r'^ValueError: no good$'):
        run_apart(make, tmp_path / 'log', 60)
    assert 'in make' in (tmp_path / 'log').read_text()


def test_a_process_that_dies(tmp_path):
    with pytest.raises(Failed, match=r'^its process died \(exit status -9\)$'):
        run_apart(lambda: os.kill(os.getpid(), signal.SIGKILL), tmp_path / 'log', 60)


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path):
    file = tmp_path / 'pid'

    def make():
        with subprocess.Popen(['sleep', '600']) as started:
            file.write_text(str(started.pid))

    with pytest.raises(Failed, match='it takes longer than 1 s'):
        run_apart(make, tmp_path / 'log', 1)
    for _ in range(500):
        try:
            os.kill(int(file.read_text()), 0)
        except ProcessLookupError:
            return
        if Path(f'/proc/{file.read_text()}/stat').read_text().split()[2] == 'Z':  # nobody has looked yet
            return
        time.sleep(0.01)
    pytest.fail('what it started goes on')
