"""Whole tasks under an audit hook: nothing is imported, started, asked of a network or opened that should not be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo import shapes
from tests.conftest import REPOSITORY
from tests.support.random_model import write_random_weights

WATCHED = REPOSITORY / 'tests' / 'support' / 'watched'
SIDE = 96


def run(command: list[str], folder: Path) -> list[str]:
    """Run a watched process, and those that it starts; returns what was noted."""
    notes = folder / 'notes.txt'
    environ = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join([str(WATCHED), str(REPOSITORY)]),
        'WATCH_FILE': str(notes),
        'WATCH_FOLDER': str(folder),
    }
    done = subprocess.run(command, cwd=str(REPOSITORY), env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return notes.read_text().splitlines() if notes.is_file() else []


def training(folder: Path) -> Path:
    options = {'cfg_options': shapes.size_options(SIDE, spread=0), 'max_epochs': 1}
    return shapes.write_task(folder, 4, 2, samples_per_gpu=2, workers_per_gpu=1, **options)


def detection(folder: Path, **parts: bool) -> Path:
    weights = write_random_weights(folder / 'in' / 'models' / 'a.pth', classes=shapes.CLASS_NAMES)
    params = {'model_params_path': [str(weights)], 'config_file': shapes.CONFIG_FILE, 'workers_per_gpu': 1}
    return shapes.write_candidates_task(folder, 3, **parts, **params)


@pytest.mark.slow
@pytest.mark.parametrize(
    'task',
    [
        training,
        lambda folder: detection(folder, mining=False),
        lambda folder: detection(folder, infer=False),
        detection,
    ],
    ids=['training', 'inference', 'mining', 'mining and inference'],
)
def test_a_task_does_nothing_beside_its_work(task, tmp_path):
    (tmp_path / 'in' / 'models').mkdir(parents=True)
    assert run([sys.executable, 'start.py', '--env', str(task(tmp_path))], tmp_path) == []


@pytest.mark.parametrize(
    'code, noted',
    [
        ('import subprocess; subprocess.run(["true"])', "subprocess.Popen: ('true'"),
        ('import os; os.system("true")', 'os.system: '),
        ('import socket; socket.socket().connect_ex(("127.0.0.1", 9))', 'socket.connect: '),
        ('open("/work-not-there", "w")', 'open: /work-not-there (written)'),
        ('import glob; open(glob.glob("/var/lib/dpkg/*")[0])', '(read)'),
        ('import sys; sys.path.append({folder!r}); import strange', 'import: strange'),
        ('import pickle; pickle.loads(b"cshutil\\nrmtree\\n.")', 'pickle.find_class: shutil.rmtree'),
    ],
)
def test_what_is_watched_for_is_noted(code, noted, tmp_path):
    (tmp_path / 'strange.py').touch()
    code = f'try:\n    exec({code.replace("{folder!r}", repr(str(tmp_path)))!r})\nexcept OSError:\n    pass\n'
    assert [note for note in run([sys.executable, '-c', code], tmp_path) if noted in note]
