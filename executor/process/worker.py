"""The worker's entry: choose the device, start one rank a GPU, run the task, report what went wrong."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

from executor.contract.errors import (
    ExecutorError,
    GpuMemoryError,
    GpuMismatchError,
    NoGpuError,
    OutOfMemoryError,
    OutputError,
    ParameterError,
)
from executor.contract.failure import death_of, failure_of
from executor.contract.output.monitor import Monitor
from executor.contract.output.writable import is_full
from executor.contract.params import Job
from executor.contract.progress import Progress, silent_progress
from executor.log import set_up_logging
from executor.machine.cores import die_with_parent

_ROOM = 2**26  # bytes, more than any one file of a task


def work(job: Job, cpu_ranks: int, reports: Any) -> None:
    """Run the job in this process, or in one process a rank; failures go to `reports`, the exit status says if any."""
    die_with_parent()
    set_up_logging()
    gpu_ids = job.gpu_ids
    try:
        _show_gpus(gpu_ids)
    except NoGpuError as error:
        reports.put(failure_of(error))
        sys.exit(1)
    _set_environment()
    ranks = len(gpu_ids) or cpu_ranks
    if ranks == 1:
        run_rank(job, reports)
    else:
        _run_ranks(ranks, job, reports)


def run_rank(job: Job, reports: Any) -> None:
    """One rank's part of the job."""
    die_with_parent()
    set_up_logging()
    # mmdet and its neighbours warn of optional packages and of their own deprecations; none is the user's business.
    warnings.filterwarnings('ignore')
    try:
        silence = io.StringIO()  # mmdet prints which optional packages it does without
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
            from executor import dist

            run = _task(job)

        _check_gpus(job.gpu_ids)
        dist.start(use_gpu=bool(job.gpu_ids))
        if dist.rank() != 0:
            logging.getLogger('executor').setLevel(logging.ERROR)  # rank 0 speaks for all
        run(_progress(job, dist.rank()))
        dist.stop()
    except BaseException as error:
        reports.put(failure_of(_translated(error, job)))
        sys.stdout.flush()
        # Without waiting for the other ranks, which may hang in a collective that this one never joins.
        os._exit(1)


def _task(job: Job) -> Callable[[Progress], None]:
    """What the job asks for, to be called with a progress; only its own rooms are imported."""
    if job.training is not None:
        from executor.training.train import train

        return lambda progress: train(job.env, job.training, progress)
    from executor.detection.detect import detect

    return lambda progress: detect(job, progress)


def _run_ranks(ranks: int, job: Job, reports: Any) -> None:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # Ranks that each compute with all cores only wait for each other's threads.
    cores = len(os.sched_getaffinity(0))
    os.environ.setdefault('OMP_NUM_THREADS', str(max(1, cores // ranks)))
    # Its words on a rank's death come before ours, which say more.
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    # The ranks share a machine: they need not resolve its name (torch 1.10 cannot be told).
    local = {'local_addr': 'localhost'} if 'local_addr' in LaunchConfig.__dataclass_fields__ else {}
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        run_id=job.env.task_id,
        rdzv_backend='c10d',
        rdzv_endpoint='localhost:0',
        max_restarts=0,
        monitor_interval=1,
        **local,
    )
    try:
        elastic_launch(config, run_rank)(job, reports)
    except ChildFailedError as error:
        if reports.empty():
            _, first = error.get_first_failure()
            reports.put(failure_of(death_of(first.exitcode)))
        sys.exit(1)


def _progress(job: Job, rank: int) -> Progress:
    if rank != 0:
        return silent_progress()
    monitor = Monitor(job.env.output.monitor_file, job.env.task_id)
    return Progress(monitor.running, start=monitor.last_percent())


def _show_gpus(gpu_ids: Sequence[int]) -> None:
    """Let torch see the task's GPUs only, so that GPU number n is rank n's; they count inside the container."""
    visible = [gpu for gpu in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if gpu]
    if visible and max(gpu_ids, default=0) >= len(visible):
        raise NoGpuError(
            f'gpu_id {",".join(map(str, gpu_ids))!r} asks for GPU {max(gpu_ids)}, but CUDA_VISIBLE_DEVICES gives the '
            f'container {len(visible)}: name GPUs from 0 to {len(visible) - 1}'
        )
    os.environ['CUDA_VISIBLE_DEVICES'] = ','.join(visible[gpu] if visible else str(gpu) for gpu in gpu_ids)


def _check_gpus(gpu_ids: Sequence[int]) -> None:
    if not gpu_ids:
        return
    import torch

    wanted = ','.join(str(gpu) for gpu in gpu_ids)
    if torch.version.cuda is None:
        raise GpuMismatchError(
            f'gpu_id {wanted!r} asks for a GPU, but this build of torch ({torch.__version__}) is for CPU only: '
            'use the GPU image, or leave gpu_id empty'
        )
    seen = torch.cuda.device_count()
    # A driver too old for this build also counts 0 GPUs; that is the mismatch below.
    if seen < len(gpu_ids) and (seen > 0 or not os.path.exists('/dev/nvidiactl')):
        raise NoGpuError(
            f'gpu_id {wanted!r} asks for {len(gpu_ids)} GPUs, but the container sees {seen}: start it with --gpus, '
            'or name GPUs that exist'
        )
    try:
        torch.zeros(1, device=f'cuda:{os.environ.get("LOCAL_RANK", "0")}')
    except RuntimeError as error:
        raise GpuMismatchError(
            f'the GPU cannot be used by this image (torch {torch.__version__} for CUDA {torch.version.cuda}, made for '
            f'{", ".join(torch.cuda.get_arch_list())}): use the image that fits the driver ({_first_line(error)})'
        )


def _translated(error: BaseException, job: Job) -> BaseException:
    """torch's and the machine's own failures as ours, where there is something to tell; ours with their place."""
    text, line = str(error), _first_line(error)
    ours: Optional[ExecutorError] = None
    if isinstance(error, ParameterError):
        ours = job.placed(error)
    elif isinstance(error, OSError) and is_full(error):
        ours = _full(error, job.env.output.root_dir)
    elif isinstance(error, ExecutorError) and text.startswith('Caught '):
        # A loading worker raised it; torch put the worker's whole traceback into the message. Its last line is ours.
        ours = type(error)(text.rstrip().splitlines()[-1].partition(': ')[2])
    elif isinstance(error, RuntimeError) and 'out of memory' in text:
        ours = GpuMemoryError(f'out of GPU memory: set samples_per_gpu lower ({line})')
    elif isinstance(error, RuntimeError) and re.search(r'DataLoader worker \(pid|bus error', text, re.IGNORECASE):
        ours = OutOfMemoryError(
            'a data-loading worker died: /dev/shm or the memory is too small: raise shm_size (docker run --shm-size) '
            f'or set workers_per_gpu lower ({line})'
        )
    elif isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and 'allocate memory' in text):
        ours = OutOfMemoryError(f'out of memory: set samples_per_gpu or workers_per_gpu lower ({line})')
    return error if ours is None else ours.with_traceback(error.__traceback__)


def _full(error: OSError, root: Path) -> ExecutorError:
    """Which of the two that can be full, where the error names no file."""
    name = str(error.filename or '')
    if name.startswith('/dev/shm') or (not name and shutil.disk_usage(str(root)).free > _ROOM):
        return OutOfMemoryError(
            '/dev/shm is full: raise shm_size (docker run --shm-size) or set workers_per_gpu lower '
            f'({_first_line(error)})'
        )
    return OutputError(
        f'{root} is full ({_first_line(error)}): free some space there, or set max_keep_checkpoints lower, and start '
        'the task again; stages saved before stay valid'
    )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _set_environment() -> None:
    """Settings that libraries read when they start.

    With a foreign user id there is no home directory, so caches go where the task may write. cuBLAS needs a workspace
    of fixed size before `--deterministic` can hold.
    """
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    cache = os.path.join(tempfile.gettempdir(), 'cache')
    for name in ('MPLCONFIGDIR', 'TORCH_HOME', 'XDG_CACHE_HOME', 'TORCHINDUCTOR_CACHE_DIR'):
        os.environ.setdefault(name, cache)
