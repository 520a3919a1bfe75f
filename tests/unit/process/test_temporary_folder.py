"""Temporary files go with the task that made them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from executor.process.temporary_folder import temporary_folder
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
