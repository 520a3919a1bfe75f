"""What the failure matrix needs once: a sound model."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo import shapes
from tests.failures.task import CONFIG, TRAINING, Task


@pytest.fixture(scope='session')
def sound_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a training leaves it: weights, and their config as plain data."""
    from executor.config.plain import config_text
    from executor.contract.config_yaml import read_job
    from executor.contract.env import read_env
    from executor.training.build_config import build_config
    from tests.support.random_model import write_random_weights

    folder = tmp_path_factory.mktemp('sound_model')
    job = read_job(read_env(Task(folder, TRAINING).env_file))
    config = build_config(job.env, job.training, train_images=4, ranks=1)
    (folder / CONFIG).write_text(config_text(config), encoding='utf-8')
    meta = {'dataset_meta': {'classes': shapes.CLASS_NAMES}, 'mAP': 0.5, 'epoch': 1}
    write_random_weights(folder / 'epoch_1.pth', shapes.CONFIG_FILE, shapes.CLASS_NAMES, **meta)
    return folder
