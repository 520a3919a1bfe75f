"""Choose the GPUs that torch sees, and check that it can use them."""

from __future__ import annotations

import os
from typing import Sequence

from executor.contract.errors import GpuMismatchError, NoGpuError
from executor.contract.shown import first_line

_NONE_THERE = 'No CUDA GPUs are available'  # torch's words where the driver works, and has none of these GPUs


def show_gpus(gpu_ids: Sequence[int]) -> None:
    """Let CUDA see the task's GPUs only, so that GPU number n is rank n's; they count inside the container.

    Raises:
        NoGpuError: the container was given fewer.
    """
    visible = [gpu for gpu in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if gpu]
    if visible and max(gpu_ids, default=0) >= len(visible):
        raise NoGpuError(
            f'gpu_id {",".join(map(str, gpu_ids))!r} asks for GPU {max(gpu_ids)}, but CUDA_VISIBLE_DEVICES gives the '
            f'container {len(visible)}: name GPUs from 0 to {len(visible) - 1}'
        )
    os.environ['CUDA_VISIBLE_DEVICES'] = ','.join(visible[gpu] if visible else str(gpu) for gpu in gpu_ids)


def check_gpus(gpu_ids: Sequence[int], local_rank: int) -> None:
    """Try a number on this rank's GPU; nothing to do for a task on the CPU.

    Raises:
        NoGpuError: the container sees fewer GPUs than the task names.
        GpuMismatchError: this build of torch cannot use them.
    """
    if not gpu_ids:
        return
    import torch

    wanted = ','.join(map(str, gpu_ids))
    if torch.version.cuda is None:
        raise GpuMismatchError(
            f'gpu_id {wanted!r} asks for a GPU, but this build of torch ({torch.__version__}) is for CPU only: '
            'use the GPU image, or leave gpu_id empty'
        )
    seen = torch.cuda.device_count()
    too_few = NoGpuError(
        f'gpu_id {wanted!r} asks for {len(gpu_ids)} GPUs, but the container sees {seen} of them: start it with --gpus, '
        'or name GPUs that exist'
    )
    # A driver too old for this build also counts 0 GPUs; that is the mismatch below.
    if seen < len(gpu_ids) and (seen > 0 or not os.path.exists('/dev/nvidiactl')):
        raise too_few
    try:
        torch.zeros(1, device=f'cuda:{local_rank}')
    except RuntimeError as error:
        if _NONE_THERE in str(error):
            raise too_few
        raise GpuMismatchError(
            f'the GPU cannot be used by this image (torch {torch.__version__} for CUDA {torch.version.cuda}, made for '
            f'{", ".join(torch.cuda.get_arch_list())}): use the image that fits the driver ({first_line(error)})'
        )
