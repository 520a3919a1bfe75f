"""One task at a time in /out: the lock, what holds it and what drops it."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from executor.contract.errors import InUseError
from executor.contract.output import sole_use
from executor.contract.output.sole_use import claim
from tests.conftest import REPOSITORY
from tests.support.refusal import refusal
from tests.support.task_folder import names_in

# A task, as far as the lock goes: it claims, starts a worker that holds, which forks a loading process.
TASK = """
import multiprocessing, os, sys, time
from pathlib import Path
from executor.contract.output.sole_use import claim, hold

def work(folder):
    hold(folder)
    loader = os.fork()
    if loader:
        print(os.getpid(), loader, flush=True)
    time.sleep(600)

if __name__ == '__main__':
    folder = Path(sys.argv[1])
    claim(folder)
    print(os.getpid(), end=' ', flush=True)
    worker = multiprocessing.get_context('spawn').Process(target=work, args=(folder,))
    worker.start()
    worker.join()
"""


@pytest.fixture
def processes(tmp_path):
    """The numbers of task, worker and loading process that work in `out`."""
    (tmp_path / 'task.py').write_text(TASK)
    command = [sys.executable, str(tmp_path / 'task.py'), str(tmp_path / 'out')]
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    task = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    numbers = [int(number) for number in task.stdout.readline().split()]
    yield numbers
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    task.communicate()


def test_a_folder_is_one_tasks_until_its_last_process_is_gone(tmp_path, processes, monkeypatch):
    out, link = tmp_path / 'out', tmp_path / 'link'
    link.symlink_to(out)
    task, worker, _ = processes
    monkeypatch.setattr(sole_use, '_PATIENCE', 0)
    for name in (out, link, out / '..' / 'out'):
        assert refusal(InUseError, claim, name) == (
            f'{name} is in use by another task, which goes on: wait until that has ended, or give this one a folder of '
            'its own'
        )
    os.kill(task, signal.SIGKILL)
    assert InUseError.code == 160004
    refusal(InUseError, claim, out)  # the worker is still there
    os.kill(worker, signal.SIGKILL)
    # The kernel closes the files of a killed process when it comes to it.
    monkeypatch.setattr(sole_use, '_PATIENCE', 60)
    claim(out)  # its loading process does not count
    assert names_in(out) == []


def test_what_a_killed_task_left_running_is_waited_for(tmp_path, monkeypatch):
    lock = os.open(str(tmp_path), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    monkeypatch.setattr(sole_use.time, 'sleep', lambda seconds: os.close(lock))
    claim(tmp_path)


@pytest.mark.parametrize('number', [errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_does_not_stop_a_task(tmp_path, monkeypatch, number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, 'flock', fail)
    claim(tmp_path / 'out')
    claim(tmp_path / 'out')
    assert names_in(tmp_path / 'out') == []


def test_a_folder_that_cannot_be_is_not_the_locks_business(tmp_path):
    (tmp_path / 'out').write_text('a file')
    claim(tmp_path / 'out' / 'below')
    assert (tmp_path / 'out').read_text() == 'a file'
