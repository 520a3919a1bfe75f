"""Fixtures for all tests."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Iterator

import pytest

from executor.report.board import Board
from tests.support.task_folder import TaskFolder

REPOSITORY = Path(__file__).resolve().parents[1]

# For torch, here and in the processes of tasks: beside other work, threads that spin take ten times as long.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')


@pytest.fixture(autouse=True)
def level_of_the_log() -> Iterator[None]:
    """Give our log its level back: a command that a test calls sets that of its process."""
    logger = logging.getLogger('executor')
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def ymir_task(tmp_path: Path) -> TaskFolder:
    """An empty task: folders for /in and /out below pytest's temporary folder."""
    return TaskFolder(tmp_path)


@pytest.fixture(scope='session')
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Exports of the platform, kept in `shared/data` beside the repository and not part of it."""
    folder = REPOSITORY.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip(f'the exported datasets are not here: {folder} is missing')
    return folder


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    """A file for TensorBoard in a folder of its own."""
    with Board(tmp_path / 'tensorboard') as board:
        yield board
