"""When freed memory is given back: before loading processes are forked, and at no other time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch.utils.data import DataLoader

from executor.training import fork_hook
from executor.training.fork_hook import ForkHook


@pytest.fixture
def given_back(monkeypatch):
    calls = []
    monkeypatch.setattr(fork_hook, 'give_back_freed_memory', lambda: calls.append(1))
    return calls


def test_it_is_given_back_before_workers_begin_and_begin_anew(given_back):
    training, validation = (DataLoader([1, 2], num_workers=1, persistent_workers=True) for _ in range(2))
    hook, runner = ForkHook(), SimpleNamespace(train_dataloader=training, val_dataloader=validation)
    hook.before_train_epoch(runner)
    list(training)
    assert len(given_back) == 1
    hook.before_train_epoch(runner)
    assert len(given_back) == 1
    hook.before_val_epoch(runner)
    assert len(given_back) == 2
    training._iterator = None  # as YOLOXModeSwitchHook leaves it
    hook.before_train_epoch(runner)
    assert len(given_back) == 3


def test_without_workers_nothing_is_forked(given_back):
    ForkHook().before_train_epoch(SimpleNamespace(train_dataloader=DataLoader([1, 2])))
    assert given_back == []
