"""What torch says when memory ends, in its own words, and what only sounds like it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from executor.machine.memory import (
    free_memory,
    is_loader_death,
    is_loss_of_a_rank,
    is_of_the_machine,
    is_out_of_gpu_memory,
    is_out_of_memory,
)
from tests.conftest import REPOSITORY

GPU = 'CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB'
CUBLAS = 'CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`'
HOST = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"
LOADER = (
    "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are out of "
    'shared memory. Please try to raise your shared memory limit.'
)


@pytest.mark.parametrize(
    'error, gpu, host, loader, machine',
    [
        (RuntimeError(GPU), True, False, False, True),
        (RuntimeError('CUDA error: out of memory'), True, False, False, True),
        (RuntimeError(CUBLAS), True, False, False, True),
        (RuntimeError('Unable to find a valid cuDNN algorithm to run convolution'), True, False, False, True),
        (RuntimeError('FIND was unable to find an engine to execute this computation'), True, False, False, True),
        (RuntimeError('GET was unable to find an engine to execute this computation'), *4 * (False,)),  # of any size
        (RuntimeError(HOST), False, True, False, True),
        (MemoryError(), False, True, False, True),
        (RuntimeError(LOADER), False, False, True, True),
        (RuntimeError('DataLoader worker (pid(s) 7, 8) exited unexpectedly'), False, False, True, True),
        (RuntimeError('unable to open shared memory object </torch_1> in read-write mode'), False, False, False, True),
        (RuntimeError('Pin memory thread exited unexpectedly'), False, False, True, True),
        (RuntimeError('NCCL error in: ProcessGroupNCCL.cpp:1269'), False, False, False, True),
        (RuntimeError('cuDNN error: CUDNN_STATUS_EXECUTION_FAILED'), False, False, False, True),
        (RuntimeError('[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed'), *3 * (False,), True),
        (OSError(5, 'Input/output error'), False, False, False, True),
        (RuntimeError('Unsupported memory format. Supports Preserve Format, Contiguous'), *4 * (False,)),
        (RuntimeError('required rank 4 tensor to use channels_last memory format'), *4 * (False,)),
        (RuntimeError('some elements of the tensor refer to a single memory location'), *4 * (False,)),
        (RuntimeError('size mismatch'), *4 * (False,)),
        (ValueError('out of memory'), *4 * (False,)),
        (KeyError(), *4 * (False,)),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, Exception) else '',
)
def test_failures_by_their_words(error, gpu, host, loader, machine):
    assert is_out_of_gpu_memory(error) is gpu
    assert is_out_of_memory(error) is host
    assert is_loader_death(error) is loader
    assert is_of_the_machine(error) is machine


@pytest.mark.parametrize(
    'words, lost',
    [
        ('[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:39571', True),
        ('Broken pipe', True),
        ('Connection reset by peer', True),
        ('failed to recv, got 0 bytes. Connection was likely closed. Did the remote server shutdown or crash?', True),
        ('NCCL error in: NCCLUtils.hpp:94, remote process exited or there was a network error', True),
        (LOADER, False),
        (GPU, False),
        ('residual connection: size mismatch', False),
        ('cannot restore the state', False),
    ],
)
def test_a_failure_that_another_rank_may_have_caused(words, lost):
    assert is_loss_of_a_rank(RuntimeError(words)) is lost
    assert not is_loss_of_a_rank(ValueError(words))
    assert is_of_the_machine(RuntimeError(words)) is (lost or words in (LOADER, GPU))


@pytest.mark.parametrize(
    'files, free',
    [
        ({}, 3072),
        ({'memory.max': 'max', 'memory.stat': 'anon 500\nfile 9000'}, 3072),
        ({'memory.max': '2500', 'memory.stat': 'anon 500\nfile 9000'}, 2000),
        ({'memory.max': '2500', 'memory.stat': 'anon 500\nfile 9000\nshmem 300'}, 1700),
        ({'memory.max': '9999', 'memory.stat': 'anon 500\nfile 9000'}, 3072),
        ({'memory/memory.limit_in_bytes': '2500', 'memory/memory.stat': 'rss 100\ntotal_rss 700'}, 1800),
        ({'memory/memory.limit_in_bytes': '2500', 'memory/memory.stat': 'total_rss 700\ntotal_shmem 50'}, 1750),
        ({'memory/memory.limit_in_bytes': str(2**63 - 4096), 'memory/memory.stat': 'rss 100\ntotal_rss 700'}, 3072),
    ],
    ids=str,
)
def test_free_memory_is_that_of_the_machine_or_of_the_container(tmp_path, files, free):
    contents = {'proc/meminfo': 'MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable: 3 kB', **files}
    for name, text in contents.items():
        file = tmp_path / name if name.startswith('proc') else tmp_path / 'cgroup' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + '\n')
    assert free_memory(tmp_path / 'proc', tmp_path / 'cgroup') == free


def test_this_machine_has_some_memory_left():
    assert 2**20 < free_memory() < 2**50


FREED = """
import os
import numpy
from executor.machine.memory import keep_freed_memory

def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGESIZE') // 2**20

keep_freed_memory()
before = resident()
blocks = [numpy.ones(2**17) for _ in range(200)]  # of 1 MiB
del blocks
print(resident() - before)
"""


def test_freed_memory_is_kept():
    assert int(subprocess.check_output([sys.executable, '-c', FREED], cwd=str(REPOSITORY), text=True)) >= 190
