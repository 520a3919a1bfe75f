"""`make demo`: write a small task, train on it through start.py as the platform would, show what came out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

from executor.contract.env import read_env
from tests import shapes

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / 'demo'
TRAIN_IMAGES, VAL_IMAGES = 200, 50


def main() -> int:
    """Returns start.py's exit status."""
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
    status = subprocess.call([sys.executable, 'start.py', '--env', str(env_file)], cwd=str(REPOSITORY))
    if status == 0:
        _show(env_file, time.monotonic() - started)
    return status


def _show(env_file: Path, seconds: float) -> None:
    env = read_env(env_file)
    result = yaml.safe_load(env.output.training_result_file.read_text(encoding='utf-8'))
    best = result['best_stage_name']
    files = ', '.join(result['model_stages'][best]['files'])
    print()
    print(f'trained in {seconds:.0f} s; AP50 per class: the table above, over all classes {result["mAP"]:.3f} ({best})')
    print(f'the model: {env.output.models_dir / best}/ ({files})')
    picture = env.output.models_dir / 'attachments/evaluation/validation.jpg'
    print(f'validation images with predicted and true boxes: {picture}')
    print(f'curves: .venv/bin/tensorboard --logdir {env.output.tensorboard_dir}')


if __name__ == '__main__':
    sys.exit(main())
