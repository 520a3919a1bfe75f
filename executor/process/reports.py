"""Report what goes wrong in a process of the task to its parent."""

from __future__ import annotations

import time
from multiprocessing.queues import SimpleQueue

from executor.contract.failure import Failure, failure_of
from executor.contract.params import Job
from executor.machine.memory import is_loss_of_a_rank
from executor.process.explain import explained

_LAUNCHER_SECONDS = 20  # it looks every second; ending the ranks may take it longer


def report(error: BaseException, job: Job, reports: SimpleQueue[Failure]) -> None:
    """Tell the parent of a failure, unless it has been told of one: that was the cause, and others only follow it."""
    if is_loss_of_a_rank(error):
        # The lost one is the cause, and has said why, or the launcher sees how it died. Meanwhile it ends this one.
        time.sleep(_LAUNCHER_SECONDS)
    if reports.empty():
        reports.put(failure_of(explained(error, job)))
