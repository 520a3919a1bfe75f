"""Give memory that is free back before loading processes are forked, which would hold it for as long as they live."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from executor.machine.memory import give_back_freed_memory


class ForkHook(Hook):
    """Trims the heap before workers begin, those of the first validation and of the closing epochs above all.

    On a CPU the activations of a batch lie there, some GB. A fork shares these pages, freed as they are, until this
    process writes them again: then each is there twice.
    """

    priority = 'VERY_LOW'  # once other hooks have decided whether workers begin anew

    def before_train_epoch(self, runner: Runner) -> None:
        _before_workers(runner.train_dataloader)

    def before_val_epoch(self, runner: Runner) -> None:
        _before_workers(runner.val_dataloader)


def _before_workers(loader: DataLoader) -> None:
    if loader.num_workers > 0 and loader._iterator is None:  # else they are there, being persistent
        give_back_freed_memory()
