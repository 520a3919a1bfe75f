"""What is taken away from the tasks of a proof, once their worker begins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from proof.bench import STAND_INS
from tests.conftest import REPOSITORY

BEGIN = 'import importlib.util\nimportlib.util.find_spec("executor.training.train")\n'  # as an import would
TWO_GPUS = """
import torch, types
torch.cuda.device_count = lambda: 2
torch.cuda.get_device_properties = lambda gpu: types.SimpleNamespace(total_memory=1000 * (gpu + 1))
torch.cuda.set_per_process_memory_fraction = lambda part, gpu: print(part, gpu)
"""
CONVOLVE = """
import torch
print(len(torch.nn.Conv2d(3, 1, 1)(torch.zeros(2, 3, 4, 4))))
try:
    torch.nn.Conv2d(3, 1, 1)(torch.zeros(3, 3, 4, 4))
except RuntimeError as error:
    print(error)
"""
CHECK = """
from executor.machine.gpus import check_gpus
try:
    check_gpus((0,), 0)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    'takes, code, told',
    [
        ('bytes:1500', TWO_GPUS + BEGIN, '1.0 0\n0.75 1\n'),
        ('images:2', BEGIN + CONVOLVE, '2\nCUDA out of memory. Tried to allocate room for 3 images\n'),
        ('gpu', BEGIN + CHECK, 'GpuMismatchError the GPU cannot be used by this image'),
        ('gpu', 'import sys; print("torch" in sys.modules)', 'False\n'),  # the parent of a task stays light
    ],
)
def test_what_is_taken_is_told_in_torch_s_words(takes, code, told):
    environ = {**os.environ, 'PYTHONPATH': str(STAND_INS), 'PROOF_TAKES': takes}
    command = [sys.executable, '-c', code]
    run = subprocess.run(command, cwd=REPOSITORY, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    assert run.stdout.startswith(told)
