"""What torch says when memory ends, in its own words, and what only sounds like it."""

from __future__ import annotations

import pytest

from executor.machine.memory import (
    is_loader_death,
    is_loss_of_a_rank,
    is_of_the_machine,
    is_out_of_gpu_memory,
    is_out_of_memory,
)

GPU = 'CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB'
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
        (RuntimeError(HOST), False, True, False, True),
        (MemoryError(), False, True, False, True),
        (RuntimeError(LOADER), False, False, True, True),
        (RuntimeError('DataLoader worker (pid(s) 7, 8) exited unexpectedly'), False, False, True, True),
        (RuntimeError('unable to open shared memory object </torch_1> in read-write mode'), False, False, False, True),
        (RuntimeError('Pin memory thread exited unexpectedly'), False, False, False, True),
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
