"""What the loading processes of a training begin with."""

from __future__ import annotations

import logging
import random
import sys
from types import SimpleNamespace

import cv2
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from executor.training.loading import LoadingHook

logger = logging.getLogger('executor.tests')


class Facts(Dataset):
    """What a loading process is like."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        told = [level for level in (logging.INFO, logging.WARNING, logging.ERROR) if logger.isEnabledFor(level)]
        to_stdout = [handler.stream is sys.stdout for handler in logging.getLogger().handlers]
        return cv2.getNumThreads(), torch.get_num_threads(), random.random(), told, to_stdout


def seed(worker):
    random.seed(5 + worker)


@pytest.fixture
def facts():
    """Begin a loading process after the hook, and give what it found."""

    def load(level, workers=1, seed=seed):
        logging.getLogger('executor').setLevel(level)
        loaders = [
            DataLoader(
                Facts(), num_workers=count, collate_fn=list, worker_init_fn=seed, multiprocessing_context=context
            )
            for count, context in ((workers, 'forkserver' if workers else None), (0, None))
        ]
        loops = [SimpleNamespace(dataloader=loader) for loader in loaders]
        cv2.setNumThreads(3)
        LoadingHook().before_train(SimpleNamespace(train_loop=loops[0], val_loop=loops[1]))
        assert loaders[1].worker_init_fn is seed
        return next(iter(loaders[0]))[0]

    before, threads = logging.getLogger('executor').level, cv2.getNumThreads()
    yield load
    cv2.setNumThreads(threads)
    logging.getLogger('executor').setLevel(before)


@pytest.mark.parametrize('level, told', [(logging.INFO, [20, 30, 40]), (logging.ERROR, [40])])
def test_it_computes_alone_draws_its_own_numbers_and_logs_as_this_process(facts, level, told):
    assert facts(level) == (3, 1, random.Random(5).random(), told, [True])


def test_without_a_seed_it_begins_as_well(facts):
    assert facts(logging.INFO, seed=None)[:2] == (3, 1)


@pytest.mark.parametrize('method, left', [('fork', True), ('spawn', False), ('forkserver', False)])
def test_a_training_that_does_not_validate_has_one_loader_and_forks_begin_as_before(method, left):
    loader = DataLoader(Facts(), num_workers=1, worker_init_fn=seed, multiprocessing_context=method)
    LoadingHook().before_train(SimpleNamespace(train_loop=SimpleNamespace(dataloader=loader), val_loop=None))
    assert (loader.worker_init_fn is seed) == left
