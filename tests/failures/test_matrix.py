"""The failure matrix: every row through start.py, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.failures import page
from tests.failures.case import Case, Outcome, environment, run
from tests.failures.task import INFERENCE, MINING, TRAINING, Task, removed

_MOST_TRACEBACK_LINES = 100


def _row(case: Case) -> Any:
    return pytest.param(case, marks=[pytest.mark.slow] if case.heavy else [], id=case.what)


@pytest.mark.parametrize('case', [_row(case) for case in page.all_cases()])
def test_a_failure_is_told(case: Case, tmp_path: Path, record_property: Any, request: Any) -> None:
    if case.cpu_build and pytest.importorskip('torch').version.cuda:
        pytest.skip('torch has been built for a GPU')
    task = Task(tmp_path, case.task, request.getfixturevalue('sound_model') if case.heavy else None)
    case.breaks(task)
    outcome = run(case, task)
    for name, value in (('case', case.what), *outcome.told._asdict().items()):  # for the page
        record_property(name, value)
    check_nothing_was_executed(task, outcome)
    check_told(case, outcome)
    check_nothing_half_written(task)
    assert not outcome.left, f'processes left behind: {outcome.left}'


def check_nothing_was_executed(task: Task, outcome: Outcome) -> None:
    assert not task.canary.exists(), f'something of the task was executed\n{outcome.output}'
    assert 'torch is imported' not in outcome.output, outcome.output


def check_told(case: Case, outcome: Outcome) -> None:
    assert outcome.status == case.status, outcome.output
    last = outcome.output.rstrip().splitlines()[-1] if case.stdout == 'log' else ''
    if not case.told:
        assert all(word in last for word in (*case.words, str(case.code))), last
        assert 'unexpected ' not in last, last
        assert not outcome.monitor, 'it was told all the same, where it may be read as what another task says'
        return
    message = check_record(outcome.monitor, case.code)
    lost = [word for word in case.words if word not in message]
    assert not lost, f'{lost} not in {message!r}'
    assert not message.startswith('unexpected '), message
    assert case.stdout != 'log' or message in last, f'{message!r} is not the last line of the log, {last!r}'


def check_record(monitor: str, code: int) -> str:
    """The message of a record of the contract's form."""
    first, _, below = monitor.partition('\n')
    assert re.fullmatch(r'[^\t]+\t\d+\.\d{6}\t[01]\.\d\d\t4\t\d{6}\t[^\t]+', first), f'not a record: {first!r}'
    record = first.split('\t')
    assert record[4] == str(code), first
    assert monitor.endswith('\n')
    assert 1 <= len(below.splitlines()) <= _MOST_TRACEBACK_LINES
    return record[5]


def check_nothing_half_written(task: Task) -> None:
    out = task.root / 'out'
    if not out.is_dir() or not (out / 'models').is_dir():
        return
    hidden = [str(path) for path in (out / 'models').rglob('.*')]
    assert not hidden, f'half-written files: {hidden}'
    result = out / 'models' / 'result.yaml'
    if result.is_file():
        stages = yaml.safe_load(result.read_text(encoding='utf-8'))['model_stages']
        for name, stage in stages.items():
            lost = [file for file in stage['files'] if not (out / 'models' / name / file).is_file()]
            assert not lost, f'result.yaml lists {lost} in {name}'


def test_the_platform_is_told_before_anything_is_printed(tmp_path: Path) -> None:
    """Printing waits for a reader here, and the platform does not."""
    task = Task(tmp_path, TRAINING)
    case = Case('a reader that is slow', TRAINING, removed('in/env.yaml'), 300001, ())
    case.breaks(task)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b'\n')
    os.set_blocking(writer, True)
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / 'start.py'), '--env', str(task.env_file)],
        env=environment(case, task),
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    monitor = task.path('out/monitor.txt')
    deadline = time.monotonic() + 60
    while not monitor.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, 'it has printed, or said nothing'
    check_record(monitor.read_text(encoding='utf-8'), case.code)
    with os.fdopen(reader, encoding='utf-8') as stream:
        assert 'env.yaml cannot be read' in stream.read()
    assert process.wait() == case.status


@pytest.mark.slow
@pytest.mark.parametrize('kind, stdout', [(TRAINING, 'full'), (INFERENCE, 'unread'), (MINING, 'closed')])
def test_the_task_that_is_broken_is_sound(kind: str, stdout: str, tmp_path: Path, sound_model: Path) -> None:
    """Also where nothing can be printed."""
    sound = Case('nothing', kind, lambda task: None, 0, (), heavy=True, stdout=stdout)
    outcome = run(sound, Task(tmp_path, kind, sound_model))
    assert outcome.status == 0, outcome.output
    assert outcome.record[2:] == ['1.00', '2']
