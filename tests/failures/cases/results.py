"""What lies in /out already: another task, results of an earlier one, the state to resume from."""

from __future__ import annotations

import fcntl
import os
from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.task import INFERENCE, Task

_in_use = rows(160004, told=False)


def another_task(task: Task) -> None:
    """A lock on /out as a task that runs has it, for as long as this process lives."""
    fcntl.flock(os.open(str(task.path('out')), os.O_RDONLY), fcntl.LOCK_SH)


CASES: Tuple[Case, ...] = (
    _in_use('another task works in /out', another_task, '/out is in use by another task', 'a folder of its own'),
    _in_use(
        'a training works in the /out of an inference', another_task, '/out is in use by another task', task=INFERENCE
    ),
)
