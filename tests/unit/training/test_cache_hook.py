"""The cache of a training: when it begins and is opened, who shares it, and what the log says of it."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from executor import dist
from executor.images import cache
from executor.training import cache_hook
from executor.training.cache_hook import CacheHook

LENGTHS = np.array([400, 300, 200])


class Pictures:
    """What the hook knows of pictures."""

    cache = None
    encoded = False

    def lengths(self):
        return LENGTHS // (10 if self.encoded else 1)


@pytest.fixture
def pictures(monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger='executor')
    monkeypatch.setattr(cache, 'free_memory', lambda: 10**6)
    return Pictures()


def runner_of(pictures, rank: int = 0):
    inner = SimpleNamespace(pictures=pictures)
    outer = SimpleNamespace(pictures=None, dataset=SimpleNamespace(dataset=inner))  # below two wrappers
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=outer), iter=7, rank=rank)


def test_it_is_filled_after_the_first_iteration_and_told_after_an_epoch(pictures, caplog):
    hook, runner = CacheHook(encoded=False), runner_of(pictures)
    hook.before_train(runner)
    pictures.cache.write(0, np.zeros(400, np.uint8))
    assert pictures.cache.held() == (0, 0)
    hook.after_train_iter(runner, 0)
    pictures.cache.write(1, np.zeros(300, np.uint8))
    hook.after_train_epoch(runner)
    hook.after_train_epoch(runner)
    pictures.cache.write(2, np.zeros(200, np.uint8))
    hook.after_train_epoch(runner)
    assert pictures.cache.held() == (2, 500)
    assert [record.getMessage() for record in caplog.records] == [
        'images are kept in memory as they are read: room for 3 of 3 (0.0 GB of 0.0 GB)',
        'kept in memory: 1 of 3 images, 0.0 GB',
        'kept in memory: 2 of 3 images, 0.0 GB',
    ]


def test_files_are_kept_instead_where_that_is_asked_for(pictures):
    CacheHook(encoded=True).before_train(runner_of(pictures))
    assert (pictures.encoded, pictures.cache.bytes) == (True, 90)


def test_the_second_rank_opens_what_the_first_has_begun(pictures, monkeypatch):
    CacheHook(encoded=False).before_train(runner_of(pictures))
    first, told = pictures.cache, (pictures.cache.path, 5 * 10**5)
    second = Pictures()
    monkeypatch.setattr(dist, 'rank', lambda: 1)
    monkeypatch.setattr(dist, 'local_rank', lambda: 1)
    monkeypatch.setattr(dist, 'gather', lambda value: [told, value])
    CacheHook(encoded=False).before_train(runner_of(second, rank=1))
    first.open()
    second.cache.write(2, np.full(200, 9, np.uint8))
    assert first.read(2).tolist() == 200 * [9]


def test_a_machine_without_such_files_keeps_nothing(pictures, monkeypatch, caplog):
    def fail(*arguments):
        raise OSError('not here')

    monkeypatch.setattr(cache_hook, 'ImageCache', fail)
    hook, runner = CacheHook(encoded=False), runner_of(pictures)
    hook.before_train(runner)
    hook.after_train_iter(runner, 0)
    hook.after_train_epoch(runner)
    assert (pictures.cache, caplog.text) == (None, '')


def test_a_pipeline_of_mmdets_own_keeps_nothing(caplog):
    hook, runner = CacheHook(encoded=False), runner_of(None)
    runner.train_dataloader.dataset = SimpleNamespace(pictures=None)
    hook.before_train(runner)
    hook.after_train_epoch(runner)
    assert caplog.text == ''
