"""The worker's side: which GPUs torch sees, and torch's own failures told in ours."""

from __future__ import annotations

import errno
import os
import shutil

import pytest
import torch

from executor.contract.errors import (
    ConfigError,
    GpuMismatchError,
    ModelError,
    NoGpuError,
    OutOfMemoryError,
    OutputError,
    ParameterError,
)
from executor.contract.failure import failure_of
from executor.process import worker
from tests.support.task_folder import line_of


@pytest.mark.parametrize(
    'visible, gpu_ids, expected',
    [
        (None, (), ''),  # CPU
        ('0,1', (), ''),
        (None, (0, 2), '0,2'),
        ('3,5', (1,), '5'),  # numbers count what the container sees
        ('MIG-a,MIG-b', (1, 0), 'MIG-b,MIG-a'),
    ],
)
def test_gpus_count_inside_the_container(monkeypatch, visible, gpu_ids, expected):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if visible is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    worker._show_gpus(gpu_ids)
    assert os.environ['CUDA_VISIBLE_DEVICES'] == expected


def test_a_gpu_that_the_container_was_not_given(monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
    with pytest.raises(NoGpuError, match=r"'0,2' asks for GPU 2, but CUDA_VISIBLE_DEVICES gives the container 2"):
        worker._show_gpus((0, 2))
    assert os.environ['CUDA_VISIBLE_DEVICES'] == '3,5'


@pytest.mark.parametrize(
    'cuda, seen, driver, works, error, words',
    [
        (None, 0, False, False, GpuMismatchError, 'is for CPU only'),
        ('13.0', 0, False, False, NoGpuError, 'asks for 2 GPUs, but the container sees 0: start it with --gpus'),
        ('13.0', 1, True, True, NoGpuError, 'asks for 2 GPUs, but the container sees 1'),
        ('13.0', 0, True, False, GpuMismatchError, 'use the image that fits the driver .no kernel image'),
        ('13.0', 2, True, False, GpuMismatchError, 'made for sm_90'),
        ('13.0', 2, True, True, None, ''),
    ],
)
def test_what_stands_in_the_way_of_a_gpu(monkeypatch, cuda, seen, driver, works, error, words):
    def zeros(*args, device):
        if not works:
            raise RuntimeError('no kernel image is available')

    monkeypatch.setattr(torch.version, 'cuda', cuda)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: seen)
    monkeypatch.setattr(torch.cuda, 'get_arch_list', lambda: ['sm_90'])
    monkeypatch.setattr(torch, 'zeros', zeros)
    monkeypatch.setattr(os.path, 'exists', lambda path: driver)
    if error is None:
        return worker._check_gpus((0, 1))
    with pytest.raises(error, match=words):
        worker._check_gpus((0, 1))


def test_the_cpu_needs_no_check(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: pytest.fail('asked for GPUs'))
    worker._check_gpus(())


@pytest.mark.parametrize(
    'error, remedy',
    [
        (MemoryError(), 'samples_per_gpu'),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), 'samples_per_gpu'),
        (RuntimeError('CUDA out of memory. Tried to allocate 2 GiB\nmore'), 'samples_per_gpu'),
        (RuntimeError('DataLoader worker (pid 7) is killed by signal: Bus error.'), '--shm-size'),
    ],
)
def test_failures_of_torch_with_a_remedy(ymir_task, error, remedy):
    told = worker._translated(error, ymir_task.job())
    assert isinstance(told, OutOfMemoryError)
    assert remedy in str(told)
    assert (str(error) or 'MemoryError').splitlines()[0] in str(told)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError(''),
        RuntimeError('size mismatch'),
        ValueError('out of memory'),
        KeyError(),
        OSError(errno.EACCES, 'Permission denied'),
        ValueError('PytorchStreamWriter failed'),
        ModelError('no weights'),
    ],
)
def test_other_failures_stay_what_they_are(ymir_task, error):
    assert worker._translated(error, ymir_task.job()) is error


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
    told = worker._translated(error, ymir_task.job())
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
    told = worker._translated(error, ymir_task.job())
    assert type(told) is OutOfMemoryError
    assert str(told).startswith('/dev/shm is full: raise shm_size')


def test_a_parameter_that_proves_wrong_late_is_told_with_its_line(ymir_task):
    job = ymir_task.job('training', max_epochs=1, cfg_options='a=1')
    told = worker._translated(ParameterError('cfg_options', 'cfg_options a: no such key'), job)
    place = f'{ymir_task.config_file}:{line_of(ymir_task.config_file, "cfg_options:")}'
    assert type(told) is ConfigError
    assert str(told) == f'{place}: cfg_options a: no such key'


def test_a_parameter_that_config_yaml_leaves_out_is_told_without_a_line(ymir_task):
    error = ParameterError('config_file', 'config_file is wrong')
    assert str(worker._translated(error, ymir_task.job('infer'))) == 'config_file is wrong'


def test_what_a_parameter_broke_stays_in_the_traceback(ymir_task):
    """mmdet's own failure, which tells more than the sentence."""
    with pytest.raises(ParameterError) as caught:
        try:
            raise KeyError('deep inside mmdet')
        except KeyError as error:
            raise ParameterError('cfg_options', 'cfg_options a: cannot be built') from error
    told = worker._translated(caught.value, ymir_task.job(cfg_options='a=1'))
    assert "KeyError: 'deep inside mmdet'" in failure_of(told).traceback
