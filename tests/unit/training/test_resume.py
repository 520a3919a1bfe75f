"""The state to resume from: saved whole, found again, and refused where it does not fit."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from executor.training.resume import RESUME_FILE, save_resume_state
from tests.support.task_folder import names_in


@dataclass
class Runner:
    """Saves a state of a few bytes, or fails after the first ones."""

    failure: OSError | None = None
    iter: int = 7

    def save_checkpoint(self, folder: str, name: str, meta: dict) -> None:
        (Path(folder) / name).write_text(f'{meta}')
        if self.failure is not None:
            raise self.failure


def test_the_state_to_resume_from_is_replaced_whole(tmp_path):
    save_resume_state(Runner(), 1, tmp_path / 'training')
    (tmp_path / 'training' / f'.{RESUME_FILE}.77').write_text('left by a kill')
    save_resume_state(Runner(), 2, tmp_path / 'training')
    assert names_in(tmp_path / 'training') == [RESUME_FILE]
    assert (tmp_path / 'training' / RESUME_FILE).read_text() == "{'epoch': 2, 'iter': 7}"


@pytest.mark.parametrize('number, goes_on', [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)])
def test_a_disk_without_room_for_the_state_does_not_end_the_training(tmp_path, caplog, number, goes_on):
    save_resume_state(Runner(), 1, tmp_path)
    with nullcontext() if goes_on else pytest.raises(OSError):
        save_resume_state(Runner(OSError(number, os.strerror(number))), 2, tmp_path)
    assert (f'{tmp_path} is full: the state of epoch 2, to resume from, is not saved' in caplog.text) is goes_on
    assert names_in(tmp_path) == [RESUME_FILE]
    assert (tmp_path / RESUME_FILE).read_text() == "{'epoch': 1, 'iter': 7}"
