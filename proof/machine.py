"""Tell what machine it is, and what computes there."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List

import mmcv
import mmdet
import torch


def facts() -> Dict[str, object]:
    """Give what a table of proofs begins with; starts CUDA, so call it in a process apart."""
    return {
        'date': str(datetime.date.today()),
        'machine': platform.node(),
        'processor': processor(),
        'cores': len(os.sched_getaffinity(0)),
        'GPUs': gpu_names(),
        'driver': driver(),
        'Python': platform.python_version(),
        'torch': torch.__version__,
        'CUDA of torch': torch.version.cuda or 'none',
        'mmcv': mmcv.__version__,
        'CUDA of mmcv': cuda_of_mmcv(),
        'mmdet': mmdet.__version__,
    }


def cuda_of_mmcv() -> str:
    """Tell for which CUDA the operators were compiled."""
    try:
        from mmcv.ops import get_compiling_cuda_version
    except ImportError:  # which a proof of its own tells
        return 'its operators cannot be loaded'
    return get_compiling_cuda_version()


def gpu_names() -> List[str]:
    """Name the GPUs, with their memory."""
    if not torch.cuda.is_available():
        return []
    found = (torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count()))
    return [f'{one.name}, {one.total_memory / 2**30:.0f} GB' for one in found]


def driver() -> str:
    """Give the version of NVIDIA's driver."""
    program = shutil.which('nvidia-smi')
    if program is None:
        return 'none'
    command = [program, '--query-gpu=driver_version', '--format=csv,noheader']
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.split()
    return told[0] if told else 'unknown'


def processor() -> str:
    """Name the processor."""
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.machine()
