"""`python -m proof --device cpu`: every proof runs without a GPU, and one that fails is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from proof.catalog import PROOFS
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow


def prove(folder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'proof', '--device', 'cpu', '--keep', '--out', str(folder), *options]
    return subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope='module')
def proven(tmp_path_factory):
    folder = tmp_path_factory.mktemp('proof')
    return folder, prove(folder)


def test_every_proof_runs_without_a_gpu(proven):
    folder, run = proven
    found = json.loads((folder / 'proof.json').read_text(encoding='utf-8'))
    rows = {row['name']: row for row in found['rows']}
    assert run.returncode == 0, run.stdout
    assert list(rows) == [proof.name for proof in PROOFS]
    not_here = [name for name, row in rows.items() if row['verdict'] == 'not on this machine']
    assert not_here == ['training in mixed precision', 'speed of mixed precision']
    slow = [name for name, row in rows.items() if row['verdict'] == 'not reached']
    assert set(slow) <= {'waiting for images in training', 'speed of inference'}
    assert found['passed'] and found['machine']['GPUs'] == [] and found['device'] == 'cpu'
    assert 'batches of 4, 2; it trained' in rows['memory ends in training']['found']
    assert rows['memory ends in inference']['found'].startswith('halved from 4 to 2; 100.00%')
    assert 'code 300102: ' in rows['a GPU that is not there']['found']
    for row in found['rows']:
        assert f'{row["verdict"]:20}{row["name"]}, ' in run.stdout


def test_a_broken_model_fails_its_proofs_and_no_others(proven):
    folder, _ = proven
    (weights,) = (folder / 'tasks' / 'reference' / 'out' / 'models').glob('*/*.pth')
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    try:
        run = prove(folder, '--only', 'inference', 'mining by random', 'a GPU that is not there')
    finally:
        weights.write_bytes(content)
    assert run.returncode == 1, run.stdout
    found = json.loads((folder / 'proof.json').read_text(encoding='utf-8'))
    assert [row['verdict'] for row in found['rows']] == ['failed', 'passed', 'passed'] and not found['passed']
    told = found['rows'][0]['found']
    assert 'ModelError' in told and weights.name in told and f'({folder}/logs/inference.log)' in told
