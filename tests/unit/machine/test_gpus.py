"""Which GPUs torch sees, and what stands in their way."""

from __future__ import annotations

import os
from contextlib import nullcontext

import pytest
import torch

from executor.contract.errors import GpuMismatchError, NoGpuError
from executor.machine.gpus import check_gpus, show_gpus


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
    monkeypatch.setattr(os, 'environ', {} if visible is None else {'CUDA_VISIBLE_DEVICES': visible})
    show_gpus(gpu_ids)
    assert os.environ['CUDA_VISIBLE_DEVICES'] == expected


def test_a_gpu_that_the_container_was_not_given(monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
    with pytest.raises(NoGpuError, match="'0,2' asks for GPU 2, but CUDA_VISIBLE_DEVICES gives the container 2"):
        show_gpus((0, 2))
    assert os.environ['CUDA_VISIBLE_DEVICES'] == '3,5'


@pytest.mark.parametrize(
    'cuda, seen, driver, says, error, words',
    [
        (None, 0, False, '', GpuMismatchError, 'is for CPU only'),
        ('13.0', 0, False, '', NoGpuError, 'asks for 2 GPUs, but the container sees 0 of them: start it with --gpus'),
        ('13.0', 1, True, '', NoGpuError, 'asks for 2 GPUs, but the container sees 1 of them'),
        ('13.0', 0, True, 'driver is too old', GpuMismatchError, 'use the image that fits the driver .driver is too'),
        ('13.0', 0, True, 'No CUDA GPUs are available', NoGpuError, 'the container sees 0 of them: start it'),
        ('13.0', 2, True, 'no kernel image is available', GpuMismatchError, 'made for sm_90'),
        ('13.0', 2, True, '', None, ''),
    ],
)
def test_what_stands_in_the_way_of_a_gpu(monkeypatch, cuda, seen, driver, says, error, words):
    def zeros(*args, device):
        if says:
            raise RuntimeError(says)

    monkeypatch.setattr(torch.version, 'cuda', cuda)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: seen)
    monkeypatch.setattr(torch.cuda, 'get_arch_list', lambda: ['sm_90'])
    monkeypatch.setattr(torch, 'zeros', zeros)
    monkeypatch.setattr(os.path, 'exists', lambda path: driver)
    with pytest.raises(error, match=words) if error else nullcontext():
        check_gpus((0, 1), 0)


def test_the_cpu_needs_no_check(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: pytest.fail('asked for GPUs'))
    check_gpus((), 0)
