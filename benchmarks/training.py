"""Training speed: this project's whole task against mmdet's own runner, same machine, images and schedule, in turn.

`make benchmark` runs it and writes its section of docs/benchmarks.md. It uses the export in `shared/data/bccd` and
the pretrained weights beside the repository, or drawn shapes from scratch where they are missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import yaml

from benchmarks.page import machine, table, write_section
from demo import shapes
from executor.contract.annotations import read_records
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.index import read_training_index
from executor.contract.params import Job
from executor.images.decode import image_size
from executor.weights.checkpoint import model_parameters, read_checkpoint, save_weights
from tests.support import exports

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / 'shared'
WEIGHTS = SHARED / 'weights' / 'yolox_nano_coco_megvii.pth'
EXPORT = SHARED / 'data' / 'bccd' / 'training-ark' / 'in'
BATCH, WORKERS = 8, 1
OURS, PEER = 'this project', "mmdet's runner"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--epochs', type=int, default=6)
    parser.add_argument('--rounds', type=int, default=2, help='times each of the two runs, in turn')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        weights = WEIGHTS if WEIGHTS.is_file() else None
        env_file = write_task(root, args.epochs, weights)
        runs: Dict[str, List[Dict[str, float]]] = {OURS: [], PEER: []}
        for _ in range(args.rounds):
            runs[PEER].append(run_mmdet(root, env_file, args.epochs, weights))
            runs[OURS].append(run_ours(env_file))
            for name, results in runs.items():
                print(f'{name}: {results[-1]["seconds"]:.0f} s, AP50 {results[-1]["AP50"]:.3f}', flush=True)
        lines = describe(runs, args.epochs, 'bccd' if EXPORT.is_dir() else 'drawn shapes', weights)
    write_section('Training', lines)


def write_task(root: Path, epochs: int, weights: Optional[Path], **changed: Any) -> Path:
    """A training task, its settings `changed`: the exported one where it is there, else drawn shapes."""
    values: Dict[str, Any] = {
        'config_file': shapes.CONFIG_FILE,
        'max_epochs': epochs,
        'samples_per_gpu': BATCH,
        'workers_per_gpu': WORKERS,
        'val_interval': 2,
        **changed,
    }
    if weights:
        values['pretrained_model_params'] = [str(weights)]
    if not EXPORT.is_dir():
        return shapes.write_task(root, 200, 80, **values)
    return exports.write_task(root, EXPORT, **values)


def run_ours(env_file: Path) -> Dict[str, float]:
    """Seconds and AP50 of the last stage of a whole task, from start.py's start to its end."""
    env = read_env(env_file)
    shutil.rmtree(env.output.root_dir, ignore_errors=True)
    started = time.monotonic()
    subprocess.run(
        [sys.executable, 'start.py', '--env', str(env_file)], cwd=str(REPOSITORY), check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.monotonic() - started
    stages = yaml.safe_load(env.output.training_result_file.read_text(encoding='utf-8'))['model_stages']
    return {'seconds': seconds, 'AP50': list(stages.values())[-1]['mAP']}


def run_mmdet(root: Path, env_file: Path, epochs: int, weights: Optional[Path]) -> Dict[str, float]:
    """The same of mmdet's own runner, from process start to end, on the same images as COCO json."""
    job = read_job(read_env(env_file))
    description = {
        'folder': str(root / 'mmdet'),
        'train': str(_as_coco(root / 'train.json', job, job.env.input.training_index_file)),
        'val': str(_as_coco(root / 'val.json', job, job.env.input.val_index_file)),
        'classes': job.training.class_names,
        'epochs': epochs,
        'batch': BATCH,
        'workers': WORKERS,
        'val_interval': job.training.val_interval,
        'weights': str(_as_mmdet(root / 'weights.pth', weights)) if weights else None,
    }
    (root / 'job.json').write_text(json.dumps(description))
    shutil.rmtree(description['folder'], ignore_errors=True)
    started = time.monotonic()
    output = subprocess.run(
        [sys.executable, '-m', 'benchmarks.mmdet_runner', str(root / 'job.json')],
        cwd=str(REPOSITORY),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    return {'seconds': time.monotonic() - started, 'AP50': float(output.split()[-1])}


def _as_coco(file: Path, job: Job, index: Optional[Path]) -> Path:
    params = job.training
    images, annotations = [], []
    for number, record in enumerate(read_records(read_training_index(index), params.export_format, params.class_names)):
        width, height = image_size(record.image)
        images.append({'id': number, 'file_name': str(record.image), 'width': width, 'height': height})
        for box in record.boxes:
            w, h = box.x2 - box.x1, box.y2 - box.y1
            entry = {'id': len(annotations) + 1, 'image_id': number, 'category_id': box.label, 'iscrowd': 0}
            annotations.append({**entry, 'bbox': [box.x1, box.y1, w, h], 'area': w * h})
    categories = [{'id': label, 'name': name} for label, name in enumerate(params.class_names)]
    file.write_text(json.dumps({'images': images, 'annotations': annotations, 'categories': categories}))
    return file


def _as_mmdet(file: Path, weights: Path) -> Path:
    save_weights(file, model_parameters(read_checkpoint(weights), weights), {})
    return file


def describe(runs: Dict[str, Sequence[Dict[str, float]]], epochs: int, data: str, weights: Optional[Path]) -> List[str]:
    """What was measured on what, a row a run, and the ratio."""
    start = 'from the official COCO weights' if weights else 'from scratch'
    medians = {name: statistics.median(result['seconds'] for result in results) for name, results in runs.items()}
    rows = [
        (
            name,
            ', '.join(f'{result["seconds"]:.0f}' for result in results),
            f'{medians[name]:.0f}',
            ', '.join(f'{result["AP50"]:.3f}' for result in results),
        )
        for name, results in runs.items()
    ]
    return [
        f'YOLOX-nano on {data}, {start}, batch {BATCH}, {WORKERS} worker, {epochs} epochs, validation every second',
        "epoch; the whole process from start to end. mmdet's runner uses its packaged config with the same phases and",
        'learning rate; its checkpoints, log and COCO metric are its defaults. The two ran in turn on one machine.',
        '',
        f'{machine()}.',
        '',
        *table(('run', 'seconds, each round', 'median', 'AP50 of the last epoch, each round'), rows),
        '',
        f"Time of this project over mmdet's runner: {medians[OURS] / medians[PEER]:.2f}.",
    ]


if __name__ == '__main__':
    main()
