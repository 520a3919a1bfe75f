"""Failures of torch and of the machine told in our words."""

from __future__ import annotations

import errno
import shutil

import pytest

from executor.contract import errors
from executor.contract.errors import ParameterError
from executor.contract.failure import failure_of
from executor.process.explain import explained
from tests.support.task_folder import line_of


@pytest.mark.parametrize(
    'error, kind, remedy',
    [
        (MemoryError(), errors.OutOfMemoryError, 'samples_per_gpu'),
        (RuntimeError("can't allocate memory: you tried to allocate 9"), errors.OutOfMemoryError, 'samples_per_gpu'),
        (RuntimeError('CUDA out of memory. Tried to allocate 2 GiB\nmore'), errors.GpuMemoryError, 'samples_per_gpu'),
        (ModuleNotFoundError("No module named 'yaml'"), errors.ExecutorError, 'build the image again'),
        (OSError(errno.EMFILE, 'Too many open files'), errors.ExecutorError, '--ulimit nofile'),
        (RuntimeError('DataLoader worker (pid 7) is killed by signal'), errors.OutOfMemoryError, '--shm-size'),
    ],
)
def test_failures_of_torch_with_a_remedy(ymir_task, error, kind, remedy):
    told = explained(error, ymir_task.job())
    assert type(told) is kind
    assert remedy in str(told)
    assert (str(error) or 'MemoryError').splitlines()[0] in str(told)


@pytest.mark.parametrize(
    'error', [RuntimeError(''), KeyError(), OSError(errno.EACCES, 'Permission denied'), errors.ModelError('no weights')]
)
def test_other_failures_stay_what_they_are(ymir_task, error):
    assert explained(error, ymir_task.job()) is error


DISK = '{root}/out is full ({error}): free some space there, or set max_keep_checkpoints lower'
SHARED_MEMORY = '/dev/shm is full: raise shm_size (docker run --shm-size) or set workers_per_gpu lower ({error})'


@pytest.mark.parametrize(
    'number, file, free, kind, told',
    [
        (errno.ENOSPC, '/out/models/epoch_1.pth', 2**20, errors.OutputError, DISK),
        (errno.EDQUOT, '/out/tensorboard', 2**20, errors.OutputError, DISK),
        (errno.ENOSPC, None, 2**20, errors.OutputError, DISK),
        (errno.ENOSPC, None, 2**39, errors.OutOfMemoryError, SHARED_MEMORY),  # for /out has room
        (errno.ENOSPC, '/dev/shm/torch_1', 2**39, errors.OutOfMemoryError, SHARED_MEMORY),
    ],
)
def test_what_is_full_is_told(ymir_task, monkeypatch, number, file, free, kind, told):
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: shutil._ntuple_diskusage(2**40, 2**40 - free, free))
    error = OSError(number, 'No space left on device', file)
    ours = explained(error, ymir_task.job())
    assert type(ours) is kind
    assert str(ours).startswith(told.format(root=ymir_task.root, error=error))


@pytest.mark.parametrize(
    'error, told',
    [
        ((errno.EISDIR, 'Is a directory', '/out/training/resume.pth'), 'is a folder, but the task writes a file there'),
        ((errno.EISDIR, '', '/out/.r.7', None, '/out/r.yaml'), 'r.yaml is a folder, but the task writes a file there'),
        ((errno.EEXIST, 'File exists', '/out/.parts'), '/out/.parts is a file, but the task writes a folder there'),
        ((errno.EPERM, 'Operation not permitted', '/out/result.tsv'), 'result.tsv cannot be written (Operation not'),
    ],
)
def test_what_is_in_the_way_in_the_output_folder_is_told(ymir_task, error, told):
    ymir_task.write('out/.parts', 'a file')
    number, words, *files = error
    placed = [file and f'{ymir_task.root}{file}' for file in files]
    ours = explained(OSError(number, words, *placed), ymir_task.job())
    assert type(ours) is errors.OutputError
    assert told in str(ours)
    outside = OSError(number, words, f'{ymir_task.root}/in/env.yaml')
    assert explained(outside, ymir_task.job()) is outside


def test_before_there_is_a_job_as_much_is_explained_as_can_be():
    """A parameter has no line yet, and nobody knows which disk is full."""
    for error in (ParameterError('cfg_options', 'no'), OSError(errno.ENOSPC, 'No space left on device')):
        assert explained(error) is error
    assert isinstance(explained(MemoryError()), errors.OutOfMemoryError)


def test_what_cannot_be_explained_stays_what_it_is(ymir_task, monkeypatch):
    """Here neither the disk that is full can be found any more nor the error be read."""
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: 1 / 0)
    error = OSError(errno.ENOSPC, 'No space left on device')
    assert explained(error, ymir_task.job()) is error


@pytest.mark.parametrize('key, kind', [('cfg_options', errors.ConfigError), ('config_file', ParameterError)])
def test_a_parameter_that_proves_wrong_late_is_told_with_its_line(ymir_task, key, kind):
    """But without one where config.yaml leaves it out."""
    told = explained(ParameterError(key, f'{key} is wrong'), ymir_task.job(max_epochs=1, cfg_options='a=1'))
    file = ymir_task.config_file
    assert type(told) is kind
    assert str(told) == (f'{file}:{line_of(file, key)}: ' if key == 'cfg_options' else '') + f'{key} is wrong'


def test_what_a_parameter_broke_stays_in_the_traceback(ymir_task):
    """mmdet's own failure, which tells more than the sentence."""
    with pytest.raises(ParameterError) as caught:
        try:
            raise KeyError('deep inside mmdet')
        except KeyError as error:
            raise ParameterError('cfg_options', 'cfg_options a: cannot be built') from error
    told = explained(caught.value, ymir_task.job(cfg_options='a=1'))
    assert "KeyError: 'deep inside mmdet'" in failure_of(told).traceback
