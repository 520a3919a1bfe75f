"""What the loading processes of a training begin with; the fork server imports it, and with it all that they need."""

from __future__ import annotations

import functools
import gc
import logging
import multiprocessing
from typing import Callable, Optional

import cv2
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from executor.log import quiet, set_up_logging
from executor.machine.lifetime import die_with_parent
from executor.machine.memory import keep_freed_memory

with quiet():
    import executor.training.dataset  # noqa: F401  (which is sent to them)


class LoadingHook(Hook):
    """Has the loading processes of a training begin by `begin_loading`, with as many threads of OpenCV as it has."""

    priority = 'LOWEST'  # after the page of the dataset, which draws the random numbers of one

    def before_train(self, runner: Runner) -> None:
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                set_beginning(loop.dataloader, cv2.getNumThreads())


def set_beginning(loader: DataLoader, threads: int) -> None:
    """Have the processes of a loader, if any, begin by `begin_loading`, and log what this one would.

    Forks are left as they are: they have all that, and OpenCV's lock may be held as they begin.
    """
    if loader.num_workers > 0 and (loader.multiprocessing_context or multiprocessing).get_start_method() != 'fork':
        level = logging.getLogger('executor').getEffectiveLevel()
        loader.worker_init_fn = functools.partial(begin_loading, level, threads, loader.worker_init_fn)


def begin_loading(level: int, threads: int, seed: Optional[Callable[[int], None]], worker: int) -> None:
    """Set up a loading process that begins with nothing: its end, log, threads, memory, and last its random numbers."""
    die_with_parent()
    set_up_logging(level)
    cv2.setNumThreads(threads)
    keep_freed_memory()
    gc.freeze()  # looking through all that the server has imported would copy it
    if seed is not None:
        seed(worker)
