"""Run `make demo`: train on drawn shapes, mine and infer with the model, all by start.py, and show what came out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from demo import shapes
from desk.results import told_results
from desk.weights import model_files
from executor.contract.env import read_env

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / 'demo' / 'tasks'
TRAIN_IMAGES, VAL_IMAGES, NEW_IMAGES = 200, 50, 40


def main() -> int:
    """Run both tasks and return start.py's exit status."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    env_file = shapes.write_task(
        FOLDER,
        TRAIN_IMAGES,
        VAL_IMAGES,
        max_epochs=24,
        samples_per_gpu=8,
        workers_per_gpu=2,
        val_interval=6,
        # From scratch and small, so the rate is higher than the linear rule's 0.00125 for a batch of 8.
        cfg_options=f'optim_wrapper.optimizer.lr=0.01 {shapes.size_options(shapes.SIDE)}',
    )
    classes = ', '.join(shapes.CLASS_NAMES)
    print(f'{TRAIN_IMAGES} images to train on, {VAL_IMAGES} to validate, classes {classes}: {FOLDER}/in')
    started = time.monotonic()
    status = _start(env_file)
    if status:
        return status
    print(f'\ntrained in {time.monotonic() - started:.0f} s; AP50 per class: the table above')
    _show(env_file)
    model = [str(file) for file in model_files([FOLDER])]
    new_env_file = shapes.write_candidates_task(FOLDER / 'new', NEW_IMAGES, model_params_path=model)
    print(f'\n{NEW_IMAGES} new images to mine and infer: {FOLDER}/new/in')
    status = _start(new_env_file)
    if status == 0:
        _show(new_env_file)
    return status


def _start(env_file: Path) -> int:
    return subprocess.call([sys.executable, 'start.py', '--env', str(env_file)], cwd=str(REPOSITORY))


def _show(env_file: Path) -> None:
    print('\n'.join(['', *told_results(env_file.parents[1], read_env(env_file), log='')]))


if __name__ == '__main__':
    sys.exit(main())
