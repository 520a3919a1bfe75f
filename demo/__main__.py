"""Run `make demo`: train on drawn shapes, mine and infer with the model, all by start.py, and show what came out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import yaml

from demo import shapes
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
    model = _show_training(env_file, time.monotonic() - started)
    new_env_file = shapes.write_candidates_task(FOLDER / 'new', NEW_IMAGES, model_params_path=model)
    print(f'\n{NEW_IMAGES} new images to mine and infer: {FOLDER}/new/in')
    status = _start(new_env_file)
    if status == 0:
        _show_candidates(new_env_file)
    return status


def _start(env_file: Path) -> int:
    return subprocess.call([sys.executable, 'start.py', '--env', str(env_file)], cwd=str(REPOSITORY))


def _show_training(env_file: Path, seconds: float) -> List[str]:
    """Say what the training left, and return the files of its best stage."""
    output = read_env(env_file).output
    result = yaml.safe_load(output.training_result_file.read_text(encoding='utf-8'))
    best = result['best_stage_name']
    files = result['model_stages'][best]['files']
    print()
    print(f'trained in {seconds:.0f} s; AP50 per class: the table above, over all classes {result["mAP"]:.3f} ({best})')
    print(f'the model: {output.models_dir / best}/ ({", ".join(files)})')
    picture = output.models_dir / 'attachments/evaluation/validation.jpg'
    print(f'validation images with predicted and true boxes: {picture}')
    print(f'curves: .venv/bin/tensorboard --logdir {output.tensorboard_dir}')
    return [str(output.models_dir / best / file) for file in files]


def _show_candidates(env_file: Path) -> None:
    out = read_env(env_file).output.root_dir
    lines = (out / 'result.tsv').read_text(encoding='utf-8').splitlines()
    print()
    print(f'most worth labelling of the new images: {lines[0].replace(chr(9), ", score ")}')
    print(f'all of them, in this order: {out}/result.tsv; the ends of it as a picture: {out}/mining-examples.jpg')
    print(f'boxes found in them: {out}/infer-result.json; a few as a picture: {out}/infer-examples.jpg')


if __name__ == '__main__':
    sys.exit(main())
