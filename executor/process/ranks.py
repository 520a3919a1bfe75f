"""Start the ranks of a task, a process each, by torch's elastic launcher."""

from __future__ import annotations

import logging
from typing import Callable

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


class RankDied(Exception):
    """A rank ended with `exitcode`."""

    def __init__(self, exitcode: int) -> None:
        super().__init__(exitcode)
        self.exitcode = exitcode


def run_ranks(count: int, task_id: str, run: Callable[..., None], *arguments: object) -> None:
    """Call `run` with the arguments in `count` processes of this machine and wait for all of them.

    Raises:
        RankDied: one of them did not end well; the others are gone by then.
    """
    # Its words on a rank's death come before ours, which say more.
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    # The ranks share a machine: they need not resolve its name (torch 1.10 cannot be told).
    local = {'local_addr': 'localhost'} if 'local_addr' in LaunchConfig.__dataclass_fields__ else {}
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=task_id,
        rdzv_backend='c10d',
        rdzv_endpoint='localhost:0',
        max_restarts=0,
        monitor_interval=1,
        **local,
    )
    try:
        elastic_launch(config, run)(*arguments)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        raise RankDied(first.exitcode)
