"""Temporary files go with the task that made them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from executor.process.temporary_folder import temporary_folder
from tests.conftest import REPOSITORY
from tests.support.task_folder import names_in


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The machine's folder for temporary files."""
    folder = tmp_path / 'tmp'
    folder.mkdir()
    monkeypatch.setenv('TMPDIR', str(folder))
    monkeypatch.setattr(tempfile, 'tempdir', None)  # to be looked up anew
    return folder


def leave_a_file() -> Path:
    """What a process that was started leaves behind."""
    code = 'import tempfile; print(tempfile.mkstemp()[1])'
    return Path(subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True).stdout.strip())


@pytest.mark.parametrize('interrupted', [False, True])
def test_what_processes_leave_is_removed(tmp_path, temporary, interrupted):
    with suppress(KeyboardInterrupt), temporary_folder(tmp_path / 'out'):
        left = leave_a_file()
        assert left.is_file()
        assert left.parents[1] == temporary
        if interrupted:
            raise KeyboardInterrupt
    assert names_in(temporary) == []
    assert os.environ['TMPDIR'] == str(temporary)


def test_an_environment_without_the_variable_stays_without(tmp_path, monkeypatch):
    monkeypatch.delenv('TMPDIR', raising=False)
    with temporary_folder(tmp_path):
        assert 'TMPDIR' in os.environ
    assert 'TMPDIR' not in os.environ


def test_without_a_folder_of_the_machine_it_lies_among_the_results(tmp_path, temporary, monkeypatch):
    make = tempfile.mkdtemp

    def mkdtemp(prefix, dir=None):
        if dir is None:
            raise FileNotFoundError(2, 'No usable temporary directory found')
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, 'mkdtemp', mkdtemp)
    (tmp_path / 'out').mkdir()
    with temporary_folder(tmp_path / 'out'):
        assert leave_a_file().parents[1] == tmp_path / 'out'
    assert names_in(tmp_path / 'out') == []


# --- what a task that was killed has left ---------------------------------------------------------------------------

TASK = """
import sys
from pathlib import Path
from executor.process.temporary_folder import temporary_folder

with temporary_folder(Path(sys.argv[1])):
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def task(tmp_path, temporary):
    """A task of another process that has its folder."""
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE}
    process = subprocess.Popen([sys.executable, '-c', TASK, str(tmp_path / 'out')], env=environment, **pipes)
    process.stdout.readline()
    yield process
    process.communicate()


def test_the_folder_of_a_living_task_stays_and_that_of_a_killed_one_goes(tmp_path, temporary, task):
    theirs = names_in(temporary)
    assert len(theirs) == 1
    with temporary_folder(tmp_path / 'out'):
        assert set(theirs) < set(names_in(temporary))
    assert names_in(temporary) == theirs
    os.kill(task.pid, signal.SIGKILL)
    task.wait()
    assert names_in(temporary) == theirs
    with temporary_folder(tmp_path / 'out'):
        assert len(names_in(temporary)) == 1
        assert names_in(temporary) != theirs


def abandoned(folder: Path) -> Path:
    """A folder with the mark of a task that is gone."""
    folder.mkdir(parents=True)
    (folder / '.ymir-executor').write_text('')
    (folder / 'file').write_text('')
    return folder


def test_those_in_out_go_too(tmp_path, temporary):
    abandoned(tmp_path / 'out' / '.ymir-12345678')
    with temporary_folder(tmp_path / 'out'):
        assert names_in(tmp_path / 'out') == []


def test_only_folders_that_tasks_made_go(tmp_path, temporary):
    elsewhere = abandoned(tmp_path / 'elsewhere' / 'ymir-12345678')
    (temporary / 'ymir-12345678').symlink_to(elsewhere)
    (temporary / 'ymir-executor').mkdir()
    abandoned(temporary / 'other')
    linked = abandoned(temporary / 'ymir-abcdefgh')
    (linked / '.ymir-executor').unlink()
    (linked / '.ymir-executor').symlink_to(elsewhere / 'file')
    with temporary_folder(tmp_path / 'out'):
        pass
    assert names_in(temporary) == ['other', 'ymir-12345678', 'ymir-abcdefgh', 'ymir-executor']
    assert names_in(elsewhere) == ['.ymir-executor', 'file']


@pytest.mark.skipif(os.getuid() != 0, reason='only root may give a folder away')
def test_those_of_other_users_stay(tmp_path, temporary):
    os.chown(abandoned(temporary / 'ymir-12345678'), 1234, 5678)
    with temporary_folder(tmp_path / 'out'):
        pass
    assert names_in(temporary) == ['ymir-12345678']


def test_where_nothing_can_be_locked_nothing_is_removed(tmp_path, temporary, monkeypatch):
    def fail(*arguments):
        raise OSError(95, 'Operation not supported')

    abandoned(temporary / 'ymir-12345678')
    monkeypatch.setattr('fcntl.flock', fail)
    with temporary_folder(tmp_path / 'out'):
        assert len(names_in(temporary)) == 2
    assert names_in(temporary) == ['ymir-12345678']
