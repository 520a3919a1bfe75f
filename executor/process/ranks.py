"""Start the ranks of a task, a process each, by torch's elastic launcher."""

from __future__ import annotations

import logging
import signal
import sys
from multiprocessing.queues import SimpleQueue
from typing import Callable

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from executor.contract.failure import Failure, death_of
from executor.contract.params import Job

Rank = Callable[[Job, int, 'SimpleQueue[Failure]'], None]

# How a rank ends that others may miss. NCCL aborts those that miss one, and the launcher terminates them.
_KILLED = (-signal.SIGKILL, -signal.SIGBUS, -signal.SIGSEGV)


def run_ranks(ranks: int, run: Rank, job: Job, cores: int, reports: SimpleQueue[Failure]) -> None:
    """Call `run` with the other arguments in a process for each rank, and exit where one of them fails.

    Raises:
        ExecutorError: a rank died without a word.
    """
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
        elastic_launch(config, run)(job, cores, reports)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        while first.exitcode in _KILLED and not reports.empty():
            reports.get()  # of a rank that only missed this one
        if reports.empty():
            raise death_of(first.exitcode)
        sys.exit(1)
