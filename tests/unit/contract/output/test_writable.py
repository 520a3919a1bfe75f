"""Whether results can be written is found out before they are made."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from executor.contract.env import Env
from executor.contract.errors import OutputError
from executor.contract.output.files import is_full
from executor.contract.output.writable import check_writable, unwritable
from tests.support.refusal import refusal
from tests.support.task_folder import TaskFolder, names_in


def with_output(env: Env, **paths: Path) -> Env:
    return dataclasses.replace(env, output=dataclasses.replace(env.output, **paths))


@pytest.mark.parametrize('tasks', [('training',), ('mining',), ('infer',), ('mining', 'infer')])
def test_folders_are_made_and_nothing_is_left_in_them(ymir_task: TaskFolder, tasks):
    env = ymir_task.env(*tasks)
    shutil.rmtree(ymir_task.root / 'out')
    check_writable(env)
    left = sorted(str(path.relative_to(ymir_task.root)) for path in ymir_task.root.glob('out/**/*'))
    assert left == (['out/models', 'out/tensorboard'] if tasks == ('training',) else [])
    assert (ymir_task.root / 'out').is_dir()


def test_results_of_an_earlier_run_stay(ymir_task: TaskFolder):
    file = ymir_task.write('out/models/result.yaml', 'earlier')
    check_writable(ymir_task.env('training'))
    assert (file.read_text(), names_in(ymir_task.models_dir)) == ('earlier', ['result.yaml'])


TRAINING_FOLDERS = [('training', folder) for folder in ('out', 'out/models', 'out/tensorboard')]


@pytest.mark.parametrize('task, blocked', [*TRAINING_FOLDERS, ('infer', 'out'), ('mining', 'out')])
def test_a_file_is_in_the_way_of_a_folder(ymir_task: TaskFolder, task, blocked):
    env = ymir_task.env(task)
    shutil.rmtree(ymir_task.root / blocked)
    ymir_task.write(blocked, 'a file')
    assert refusal(OutputError, check_writable, env) == (
        f'{ymir_task.root / blocked} is a file, but the task writes a folder there: remove it, or rename it'
    )


@pytest.mark.parametrize('task', ['mining', 'infer'])
def test_the_models_folder_is_the_business_of_a_training(ymir_task: TaskFolder, task):
    env = with_output(ymir_task.env(), models_dir=ymir_task.root / 'out/results/of/models')
    ymir_task.write('out/results', 'a file')
    with pytest.raises(OutputError, match=rf'^{ymir_task.root}/out/results is a file, but'):
        check_writable(env)
    check_writable(with_output(ymir_task.env(task), models_dir=env.output.models_dir))


@pytest.mark.parametrize(
    'tasks, name, in_the_way',
    [
        *((('training',), name, True) for name in ('monitor.txt', 'models/result.yaml')),
        *((('mining',), name, True) for name in ('monitor.txt', 'result.tsv')),
        (('infer',), 'infer-result.json', True),
        *((('mining', 'infer'), name, True) for name in ('result.tsv', 'infer-result.json')),
        *((tasks, 'result.tsv', False) for tasks in (('training',), ('infer',))),
        (('mining',), 'infer-result.json', False),
    ],
)
def test_a_folder_is_in_the_way_of_a_result(ymir_task: TaskFolder, tasks, name, in_the_way):
    (ymir_task.root / 'out' / name).mkdir(parents=True)
    if not in_the_way:
        return check_writable(ymir_task.env(*tasks))
    assert refusal(OutputError, check_writable, ymir_task.env(*tasks)) == (
        f'{ymir_task.root}/out/{name} is a folder, but the task writes a file there: remove it, or rename it'
    )


@pytest.mark.parametrize('name', ['monitor_file', 'training_result_file'])
def test_a_result_elsewhere_gets_its_folder(ymir_task: TaskFolder, name):
    check_writable(with_output(ymir_task.env(), **{name: ymir_task.root / 'other/folder/file'}))
    assert names_in(ymir_task.root / 'other/folder') == []


def test_a_folder_that_nobody_may_write(ymir_task: TaskFolder):
    told = refusal(OutputError, check_writable, with_output(ymir_task.env('infer'), root_dir=Path('/proc')))
    assert told.startswith('/proc cannot be written (')
    assert told.endswith(f'): mount a folder there that user {os.getuid()} may write (docker run -v FOLDER:/out)')


@pytest.mark.parametrize('writable', [True, False])
def test_a_monitor_file_that_is_a_mount_needs_no_folder(ymir_task: TaskFolder, writable):
    """Nobody may write into /proc/self, but into some of its files."""
    env = with_output(ymir_task.env(), monitor_file=Path('/proc/self/comm' if writable else '/proc/self/no'))
    if writable:
        return check_writable(env)
    with pytest.raises(OutputError, match='^/proc/self cannot be written'):
        check_writable(env)


@pytest.mark.parametrize('name', ['x' * 300, 'x' * 5000], ids=len)
def test_a_result_whose_name_no_file_can_have(ymir_task: TaskFolder, name):
    with pytest.raises(OutputError, match='cannot be written'):
        check_writable(with_output(ymir_task.env('infer'), infer_result_file=ymir_task.root / 'out' / name))
    with pytest.raises(OutputError, match='cannot be written'):
        check_writable(with_output(ymir_task.env('infer'), root_dir=ymir_task.root / 'out' / name))


class FullDisk(io.BytesIO):
    """A file that takes bytes, and has no room for them when it is closed."""

    def __exit__(self, *error: object) -> None:
        if self.getvalue():
            raise OSError(errno.ENOSPC, 'No space left on device')


def test_a_full_disk_is_found_by_the_byte(ymir_task: TaskFolder, monkeypatch):
    env = ymir_task.env()
    monkeypatch.setattr(tempfile, 'TemporaryFile', lambda dir: FullDisk())
    assert refusal(OutputError, check_writable, env) == (
        f'{ymir_task.root}/out cannot be written, the disk is full: free some space there, and start the task again'
    )


@pytest.mark.parametrize(
    'number, full',
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False), (errno.EROFS, False), (errno.ENOENT, False)],
)
def test_which_errors_are_a_full_disk(number, full):
    error = OSError(number, os.strerror(number))
    assert is_full(error) is full
    assert ('the disk is full' in str(unwritable(Path('/out'), error))) is full
    assert (os.strerror(number) in str(unwritable(Path('/out'), error))) is not full


def test_an_error_without_a_number_is_no_full_disk():
    assert not is_full(OSError('Caught OSError in DataLoader worker process 0'))
