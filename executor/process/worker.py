"""Run a task in the worker: in this process, or in one a rank. What goes wrong in a rank is reported to the parent."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from multiprocessing.queues import SimpleQueue

from executor.contract.failure import Failure
from executor.contract.output.monitor import Monitor
from executor.contract.params import Job
from executor.contract.progress import Progress, silent_progress
from executor.log import quiet, set_up_logging
from executor.machine.cores import available_cores
from executor.machine.gpus import check_gpus, show_gpus
from executor.machine.lifetime import die_with_parent
from executor.process.node import Node
from executor.process.reports import report

# Rounds that a thread of torch's OpenMP, libgomp on both stacks, spins for the others before it sleeps. By itself it
# does 300,000, some 7 ms, in which the awaited thread may not get its core from a busy neighbour; 1,000, some 25 µs,
# bridge the gap between operations. Beside a busy loop a core a training is then more than twice as fast, and on a
# quiet machine not slower; with none, as OMP_WAIT_POLICY=passive has it, a tenth slower there. See docs/benchmarks.md.
SPIN_COUNT = '1000'


def work(job: Job, cpu_ranks: int, node: Node, reports: SimpleQueue[Failure]) -> None:
    """Run the job in this process, or in one a rank, which exits where it fails; `reports` says how."""
    die_with_parent()
    set_up_logging()
    ranks = len(job.gpu_ids) or cpu_ranks
    cores = available_cores(ranks)
    _set_environment(job, ranks, cores)
    if ranks == 1 and node.is_alone:
        return run_rank(job, cores, reports)
    from executor.process.ranks import run_ranks  # imports torch, so after the environment is set

    run_ranks(ranks, node, run_rank, job, cores, reports)


def run_rank(job: Job, cores: int, reports: SimpleQueue[Failure]) -> None:
    """Run one rank's part of the job on so many CPU cores."""
    try:
        die_with_parent()
        set_up_logging()
        with quiet():
            from executor import dist

            _set_caches(dist.local_rank())
            # The rooms of the task that the job asks for, and no others.
            if job.training is not None:
                from executor.training.train import train
            else:
                from executor.detection.detect import detect

        check_gpus(job.gpu_ids, dist.local_rank())
        dist.start(use_gpu=bool(job.gpu_ids))
        if dist.rank() == 0:
            monitor = Monitor(job.env.output.monitor_file, job.env.task_id)
            progress = Progress(monitor.running, start=monitor.last_percent())
        else:
            logging.getLogger('executor').setLevel(logging.ERROR)  # rank 0 speaks for all
            progress = silent_progress()
        if job.training is not None:
            train(job, progress)
        else:
            detect(job, progress, cores)
        dist.stop()
    except BaseException as error:
        try:
            report(error, job, reports)
            sys.stdout.flush()
        finally:
            # Without waiting for the other ranks, which may hang in a collective that this one never joins.
            os._exit(1)


def _set_environment(job: Job, ranks: int, cores: int) -> None:
    """Set what libraries read from the environment when they start; nothing of ours reads it back."""
    show_gpus(job.gpu_ids)
    if ranks > 1:
        # Ranks that each compute with all cores only wait for each other's threads.
        os.environ.setdefault('OMP_NUM_THREADS', str(cores))
    if 'OMP_WAIT_POLICY' not in os.environ:  # which says the same in words
        os.environ.setdefault('GOMP_SPINCOUNT', SPIN_COUNT)
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # a fixed size, which --deterministic needs


def _set_caches(local_rank: int) -> None:
    """Have libraries keep their caches where the task may write: a foreign user id has no home directory.

    Ranks begin together, and yapf, which mmengine uses, would read what another has only half written.
    """
    cache = os.path.join(tempfile.gettempdir(), 'cache', str(local_rank))
    for name in ('MPLCONFIGDIR', 'TORCH_HOME', 'XDG_CACHE_HOME', 'TORCHINDUCTOR_CACHE_DIR'):
        os.environ.setdefault(name, cache)
