"""What `python -m proof` does before it proves anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proof import __main__ as program
from tests.conftest import REPOSITORY

IMPORT = """
import torch
asked = []
torch._C._cuda_getDeviceCount = lambda: asked.append(1) or 0
from proof.__main__ import import_all
import_all(2)
print(len(asked), torch.cuda.is_available(), len(asked))
"""


def test_imports_do_not_ask_the_driver_for_gpus():
    """A fork of a process that has asked could not use them."""
    command = [sys.executable, '-W', 'ignore', '-c', IMPORT]
    assert subprocess.check_output(command, cwd=REPOSITORY, text=True) == '0 False 1\n'


@pytest.fixture
def machine(monkeypatch):
    """A machine without a GPU, and proofs that nobody comes to."""
    monkeypatch.setattr(program, 'run_apart', lambda *_: {'torch': '2.13.0', 'GPUs': []})
    monkeypatch.setattr(program, 'import_all', lambda gpus: pytest.fail('it has begun'))


def told(capsys, *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        program.main([*map(str, arguments)])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_a_gpu_that_is_asked_for_must_be_there(machine, tmp_path, capsys):
    assert 'torch sees no GPU here: start the container with --gpus all' in told(
        capsys, '--device', 'cuda', '--out', tmp_path
    )


def test_folders_of_others_stay(machine, tmp_path, capsys):
    (tmp_path / 'logs').mkdir()
    (tmp_path / 'logs' / 'mine').touch()
    assert 'choose another --out' in told(capsys, '--out', tmp_path)
    assert (tmp_path / 'logs' / 'mine').exists()


def test_a_folder_of_a_run_that_ended_early_is_used_again(machine, tmp_path, capsys):
    told(capsys, '--device', 'cuda', '--out', tmp_path)
    assert 'torch sees no GPU here' in told(capsys, '--device', 'cuda', '--out', tmp_path)


def test_names_of_no_proof_are_told_before_anything_begins(machine, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(program, 'import_all', lambda gpus: None)
    monkeypatch.setattr(program, '_rows', lambda *_: pytest.fail('it has begun'))
    words = told(capsys, '--out', tmp_path, '--only', 'inference', 'minig by aldd')
    assert '--only minig by aldd: there is no such proof; there are ' in words and ', inference, ' in words
