"""Start the ranks of a task, a process each, by torch's elastic launcher."""

from __future__ import annotations

import logging
import signal
import sys
from multiprocessing.queues import SimpleQueue
from typing import Callable, Mapping

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from executor.contract.failure import Failure, death_of
from executor.contract.params import Job
from executor.process.companions import Companions
from executor.process.node import Node

Rank = Callable[[Job, int, 'SimpleQueue[Failure]'], None]

# How a rank ends that others may miss. NCCL aborts those that miss one, and the launcher terminates them.
_KILLED = (-signal.SIGKILL, -signal.SIGBUS, -signal.SIGSEGV)


def run_ranks(ranks: int, node: Node, run: Rank, job: Job, cores: int, reports: SimpleQueue[Failure]) -> None:
    """Call `run` with the last arguments in a process for each of this machine's ranks; exit where one of them fails.

    Raises:
        ExecutorError: a rank died without a word, or another machine is missing.
    """
    # Its words on a rank's death come before ours, which say more.
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    if node.is_alone:
        # The ranks share a machine: they need not resolve its name (torch 1.10 cannot be told).
        local = {'local_addr': 'localhost'} if 'local_addr' in LaunchConfig.__dataclass_fields__ else {}
        return _launch(
            job, ranks, node, {'rdzv_backend': 'c10d', 'rdzv_endpoint': 'localhost:0', **local}, run, cores, reports
        )
    with Companions(node, ranks, job.env.task_id, reports) as companions:
        meeting = {
            'rdzv_backend': 'static',  # which numbers machines as the user does
            'rdzv_endpoint': f'{node.host}:{companions.launcher_port}',
            'rdzv_configs': {'rank': node.rank, 'timeout': 600},
        }
        _launch(job, ranks, node, meeting, run, cores, reports)


def _launch(
    job: Job,
    ranks: int,
    node: Node,
    meeting: Mapping[str, object],
    run: Rank,
    cores: int,
    reports: SimpleQueue[Failure],
) -> None:
    config = LaunchConfig(
        min_nodes=node.count,
        max_nodes=node.count,
        nproc_per_node=ranks,
        run_id=job.env.task_id,
        max_restarts=0,
        monitor_interval=1,
        **meeting,
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
