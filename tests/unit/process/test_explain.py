"""Failures of torch and of the machine told in our words."""

from __future__ import annotations

import errno
import shutil

import pytest

from executor.contract.errors import (
    ConfigError,
    GpuMemoryError,
    ModelError,
    OutOfMemoryError,
    OutputError,
    ParameterError,
)
from executor.contract.failure import failure_of
from executor.process.explain import explained
from tests.support.task_folder import line_of


@pytest.mark.parametrize(
    'error, kind, remedy',
    [
        (MemoryError(), OutOfMemoryError, 'samples_per_gpu'),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            OutOfMemoryError,
            'samples_per_gpu',
        ),
        (RuntimeError('CUDA out of memory. Tried to allocate 2 GiB\nmore'), GpuMemoryError, 'samples_per_gpu'),
        (RuntimeError('DataLoader worker (pid 7) is killed by signal: Bus error.'), OutOfMemoryError, '--shm-size'),
    ],
)
def test_failures_of_torch_with_a_remedy(ymir_task, error, kind, remedy):
    told = explained(error, ymir_task.job())
    assert type(told) is kind
    assert remedy in str(told)
    assert (str(error) or 'MemoryError').splitlines()[0] in str(told)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError(''),
        RuntimeError('size mismatch'),
        RuntimeError('Unsupported memory format. Supports only ChannelsLast, Contiguous'),
        ValueError('out of memory'),
        KeyError(),
        OSError(errno.EACCES, 'Permission denied'),
        ValueError('PytorchStreamWriter failed'),
        ModelError('no weights'),
    ],
)
def test_other_failures_stay_what_they_are(ymir_task, error):
    assert explained(error, ymir_task.job()) is error


@pytest.mark.parametrize(
    'error',
    [
        OSError(errno.ENOSPC, 'No space left on device', '/out/models/epoch_1.pth'),
        OSError(errno.EDQUOT, 'Disk quota exceeded', '/out/tensorboard'),
        OSError(errno.ENOSPC, 'No space left on device'),
    ],
)
def test_a_full_disk_is_told_with_the_folder(ymir_task, monkeypatch, error):
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: shutil._ntuple_diskusage(2**30, 2**30 - 2**20, 2**20))
    told = explained(error, ymir_task.job())
    assert type(told) is OutputError
    assert str(told).startswith(f'{ymir_task.root}/out is full (')
    assert f'{error}): free some space there, or set max_keep_checkpoints lower' in str(told)
    assert told.code == 160004


@pytest.mark.parametrize(
    'error',
    [
        OSError(errno.ENOSPC, 'No space left on device', '/dev/shm/torch_1'),
        OSError(errno.ENOSPC, 'No space left on device'),  # while /out has room
    ],
)
def test_full_shared_memory_is_not_taken_for_a_full_disk(ymir_task, monkeypatch, error):
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: shutil._ntuple_diskusage(2**40, 2**39, 2**39))
    told = explained(error, ymir_task.job())
    assert type(told) is OutOfMemoryError
    assert str(told).startswith('/dev/shm is full: raise shm_size')


def test_a_parameter_that_proves_wrong_late_is_told_with_its_line(ymir_task):
    job = ymir_task.job('training', max_epochs=1, cfg_options='a=1')
    told = explained(ParameterError('cfg_options', 'cfg_options a: no such key'), job)
    place = f'{ymir_task.config_file}:{line_of(ymir_task.config_file, "cfg_options:")}'
    assert type(told) is ConfigError
    assert str(told) == f'{place}: cfg_options a: no such key'


def test_a_parameter_that_config_yaml_leaves_out_is_told_without_a_line(ymir_task):
    error = ParameterError('config_file', 'config_file is wrong')
    assert str(explained(error, ymir_task.job('infer'))) == 'config_file is wrong'


def test_what_a_parameter_broke_stays_in_the_traceback(ymir_task):
    """mmdet's own failure, which tells more than the sentence."""
    with pytest.raises(ParameterError) as caught:
        try:
            raise KeyError('deep inside mmdet')
        except KeyError as error:
            raise ParameterError('cfg_options', 'cfg_options a: cannot be built') from error
    told = explained(caught.value, ymir_task.job(cfg_options='a=1'))
    assert "KeyError: 'deep inside mmdet'" in failure_of(told).traceback
