"""Note what each epoch of a training came to: its losses and learning rate, and what its validation measured."""

from __future__ import annotations

from functools import partial
from typing import Dict, List, Mapping, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor.training.expect import Form, each, entries, finite, mapping, whole

History = Dict[int, Dict[str, float]]  # by epoch, from 1, and by name

_MEASURED = {'coco/bbox_mAP_50': 'AP_50', 'coco/bbox_mAP': 'AP'}


def plain_history(history: History) -> List[Dict[str, object]]:
    """Write a history as plain values, for the state to resume from."""
    return [{'epoch': epoch, 'numbers': dict(row)} for epoch, row in history.items()]


def read_history(state: object) -> History:
    """Read what `plain_history` wrote, which lay in a file since.

    Raises:
        ValueError: a value is none that we write.
    """
    form: Form = {'epoch': partial(whole, least=1), 'numbers': _numbers}
    rows = each(state, 'ymir_history', lambda value, place: entries(value, place, form))
    return {row['epoch']: row['numbers'] for row in rows}


def _numbers(value: object, place: str) -> Dict[str, float]:
    return {name: finite(number, f'{place}.{name}') for name, number in mapping(value, place).items()}


class HistoryHook(Hook):
    """Adds to a history on rank 0, which may hold the epochs of the training that this one goes on with."""

    priority = 'LOW'  # before the state to resume from is saved

    def __init__(self, history: History) -> None:
        self._history = history

    def after_train_epoch(self, runner: Runner) -> None:
        if runner.rank != 0:
            return
        known = runner.message_hub.log_scalars
        iterations = len(runner.train_dataloader)
        losses = [name for name in known if name.startswith('train/') and 'loss' in name]
        row = {name[len('train/') :]: float(known[name].mean(iterations)) for name in losses}
        if 'train/lr' in known:
            row['lr'] = float(known['train/lr'].current())
        self._history.setdefault(runner.epoch + 1, {}).update(row)  # mmengine counts on only after this

    def after_val_epoch(self, runner: Runner, metrics: Optional[Mapping[str, float]] = None) -> None:
        if runner.rank == 0:
            row = {name: float(metrics[key]) for key, name in _MEASURED.items()} if metrics else {}
            self._history.setdefault(runner.epoch, {}).update(row)
