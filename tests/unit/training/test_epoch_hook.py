"""The line that the log has for an epoch, by a clock that the test sets."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from executor.training import epoch_hook
from executor.training.epoch_hook import EpochHook
from executor.training.waiting_hook import Speed

LOSSES = {'loss': 3.25, 'loss_cls': 1.0, 'loss_bbox': 2.25}


class Training:
    """A training of 4 epochs, 10 iterations each, of which each takes 30 s."""

    def __init__(self, monkeypatch, rank: int = 0, use_gpu: bool = False) -> None:
        self.now = 100.0
        monkeypatch.setattr(epoch_hook, 'time', SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(epoch_hook, 'peak_memory', lambda gpu: 21e8)
        self.history = {}
        waiting = SimpleNamespace(speed=Speed(29.04, 0.052))
        store = SimpleNamespace(best=SimpleNamespace(stage=SimpleNamespace(name='epoch_1', mAP=0.5)))
        self.runner = SimpleNamespace(epoch=0, iter=0, rank=rank, max_epochs=4, max_iters=40)
        self.hook = EpochHook(self.history, waiting, store, use_gpu)
        self.hook.before_train(self.runner)

    def epoch(self, validated: bool, **row: float) -> None:
        self.hook.before_train_epoch(self.runner)
        self.now += 30
        self.runner.iter += 10
        self.history[self.runner.epoch + 1] = {'lr': 0.00125, **LOSSES, **row}
        self.hook.after_train_epoch(self.runner)
        self.runner.epoch += 1
        if validated:
            self.hook.after_val_epoch(self.runner, {'any': 0.0})


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, logger='executor')
    return caplog


LINE = 'loss 3.250 (cls 1.000, bbox 2.250), learning rate 0.00125; 29.0 images/s, waited for images 5 % of the time; '


def test_the_line_comes_behind_the_validation(told, monkeypatch):
    Training(monkeypatch).epoch(validated=True, AP_50=0.5, AP=0.25)
    found = 'AP50 0.5000, AP 0.2500, best epoch_1 with 0.5000'
    assert told.messages == [f'epoch 1 of 4: {LINE}2.1 GB of memory; {found}; 1m30s left']


def test_an_epoch_without_validation_has_one_as_well(told, monkeypatch):
    training = Training(monkeypatch, use_gpu=True)
    training.epoch(validated=False)
    assert told.messages == []
    training.epoch(validated=False)
    assert told.messages == [f'epoch 1 of 4: {LINE}2.1 GB of GPU memory; 1m30s left']
    training.hook.after_train(training.runner)
    assert told.messages[1:] == [f'epoch 2 of 4: {LINE}2.1 GB of GPU memory; 1m00s left']


def test_a_validation_that_is_run_again_is_no_epoch_of_this_training(told, monkeypatch):
    training = Training(monkeypatch)
    training.runner.epoch = 3
    training.history[3] = {'AP_50': 0.5, 'AP': 0.25}
    training.hook.after_val_epoch(training.runner, {})
    assert told.messages == ['epoch 3, validated again: AP50 0.5000, AP 0.2500, best epoch_1 with 0.5000']


def test_other_ranks_say_nothing(told, monkeypatch):
    training = Training(monkeypatch, rank=1)
    training.epoch(validated=True)
    training.hook.after_train(training.runner)
    assert told.messages == []
