"""How much of an epoch was spent waiting for images, by a clock that the test sets."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from executor.training import waiting_hook
from executor.training.waiting_hook import WaitingHook
from executor.training.workers import Loading

IMAGES = {'inputs': ['image'] * 8}


class Training:
    """Runs a hook through epochs of known times."""

    def __init__(self, loading, rank=0, max_epochs=100):
        self.now = 1000.0
        self.scalars = []
        visualizer = SimpleNamespace(add_scalar=lambda *scalar: self.scalars.append(scalar))
        self.runner = SimpleNamespace(epoch=0, rank=rank, max_epochs=max_epochs, visualizer=visualizer)
        self.hook = WaitingHook(loading, lambda: self.now)

    def epoch(self, waits, step, batch=IMAGES):
        self.hook.before_train_epoch(self.runner)
        for number, wait in enumerate(waits):
            self.now += wait
            self.hook.before_train_iter(self.runner, number, batch)
            self.now += step
            self.hook.after_train_iter(self.runner, number, batch, outputs={})
        self.now += 60  # saving, by hooks before
        self.hook.after_train_epoch(self.runner)
        self.runner.epoch += 1
        self.now += 600  # validation


def loading(workers=4, cores=64, use_gpu=True):
    return Loading(workers, cores, batch_bytes=2**20, free_bytes=2**40, ranks=1, use_gpu=use_gpu)


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, logger='executor')
    return caplog


def test_the_speed_and_the_curve_of_an_epoch():
    training = Training(loading())
    training.epoch([1.0, 0.5, 0.0, 0.5], step=2.0)  # 10 s, 2 of them waiting; 32 images
    speed = training.hook.speed
    training.epoch([0.0, 0.0], step=0.5, batch={'inputs': ['image'] * 3})  # another epoch's times are its own
    assert (speed, training.hook.speed) == ((3.2, 0.2), (6.0, 0.0))
    assert training.scalars == [('waiting', 0.2, 1), ('waiting', 0.0, 2)]


def test_the_slowest_rank_of_each_iteration_counts(monkeypatch):
    others = [(8, [0.5, 1.0, 0.0]), (24, [0.0, 0.0, 3.0])]
    monkeypatch.setattr(waiting_hook.dist, 'gather', lambda own: [own, *others])
    training = Training(loading())
    training.epoch([1.0, 0.0, 2.0], step=7.0)
    assert training.hook.speed == (56 / 24, 5 / 24)  # 1 + 1 + 3 of 24 s; 24 + 8 + 24 images


def test_a_rank_tells_what_it_saw_and_says_nothing(told, monkeypatch):
    gathered = []
    monkeypatch.setattr(waiting_hook.dist, 'gather', lambda own: gathered.append(own) or [own])
    training = Training(loading(), rank=1)
    training.epoch([1.0, 5.0], step=1.0)
    assert gathered == [(16, [1.0, 5.0])]
    assert (told.messages, training.scalars) == ([], [])


def warnings(told):
    return [record.getMessage() for record in told.records if record.levelno == logging.WARNING]


def test_what_would_help_is_told_ever_more_seldom(told):
    training = Training(loading())
    epochs = []
    for epoch in range(1, 21):
        told.clear()
        training.epoch([0.0, 1.0, 1.0], step=1.0)  # 2 of 5 s, 40 %: 4 / 0.6
        if warnings(told):
            assert warnings(told) == ['images come too slowly: set workers_per_gpu to 7 (used: 4, cores a GPU: 64)']
            epochs.append(epoch)
    assert epochs == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    'given, waits',
    [
        (loading(), [0.0, 0.5, 0.5, 0.0, 0.0]),  # 1 of 6 s: busy for more than 80 % of the time
        (loading(), [60.0, 0.0, 0.0]),  # only for the first batch, while the workers start
        (loading(), [60.0]),
        (loading(workers=2, cores=2, use_gpu=False), [0.0, 9.0, 9.0]),  # nothing is known to help
    ],
)
def test_no_warning(told, given, waits):
    Training(given).epoch(waits, step=1.0)
    assert told.messages == []


def test_an_epoch_without_waiting_does_not_put_the_warning_off(told):
    training = Training(loading())
    training.epoch([0.0, 0.0], step=1.0)
    assert warnings(told) == []
    training.epoch([0.0, 1.0], step=1.0)
    assert len(warnings(told)) == 1
