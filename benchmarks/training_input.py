"""Speed of the training input: composed pictures against mmdet's own transforms, on one core, in turn.

`make benchmark` runs it and writes its section of docs/benchmarks.md. It uses the photographs of `shared/data/coco80`
beside the repository, or drawn shapes where they are missing. With `--pictures FOLDER` it draws sixteen pictures of
each, made from the same random numbers, side by side, to be looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import cv2
import numpy as np
import torch
import yaml
from mmdet.datasets.dataset_wrappers import MultiImageMixDataset as OfMmdet
from mmengine.registry import init_default_scope

from benchmarks.page import REPOSITORY, machine, table, write_section
from demo import shapes
from executor.config.patches import patch
from executor.config.read import load_config
from executor.images import cache
from executor.images.cache import ImageCache
from executor.machine.memory import keep_freed_memory
from executor.models.families import register_parts
from executor.training.augment import composition, picture, pictures
from executor.training.dataset import MixDataset
from tests.support import exports

EXPORT = REPOSITORY.parent / 'shared' / 'data' / 'coco80' / 'training-ark' / 'in'
SIZES = ('tiny', 's')
OURS, PEER = 'ours', 'mmdet'
# Each kind of pictures, and what it is compared with.
PICTURES = {
    'mmdet': 'mmdet',
    'first epoch': 'mmdet',
    'later epochs': 'mmdet',
    'closing epochs, mmdet': 'closing epochs, mmdet',
    'closing epochs': 'closing epochs, mmdet',
}
# What is timed inside of ours: a name, where it stands, and what is called there.
STEPS = (
    ('decoding', pictures, 'decode'),
    ('warping', picture, '_warp'),
    ('colours', picture, 'add_hsv'),
    ('keeping', cache.ImageCache, 'write'),
    ('numbers and boxes', composition.Composition, 'drawn'),
)
Datasets = Tuple[MixDataset, OfMmdet]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=3, help='times each of the two runs, in turn')
    parser.add_argument('--pictures', type=Path, help='only draw pictures of both, into this folder')
    parser.add_argument('--run', nargs=2, metavar=('WHOSE', 'SIZE'), help='only measure one, and print it as JSON')
    args = parser.parse_args()
    if args.run or args.pictures:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        register_parts()
        init_default_scope('mmdet')
        patch()
        with tempfile.TemporaryDirectory() as folder:
            if args.run:
                whose, size = args.run
                print(json.dumps({OURS: measure_ours, PEER: measure_mmdet}[whose](*datasets_of(Path(folder), size))))
            for size in SIZES if args.pictures else ():
                draw(datasets_of(Path(folder) / size, size), args.pictures / f'{size}.jpg')
        return
    rows, steps = [], []
    for size in SIZES:
        found: Dict[str, List[float]] = {}
        for _ in range(args.rounds):
            for whose in (PEER, OURS):
                for name, ms in run(whose, size).items():
                    found.setdefault(name, []).append(ms)
        middle = {name: statistics.median(values) for name, values in found.items()}
        rows += [
            (size, name, f'{middle[name]:.1f}', f'{1000 / middle[name]:.0f}', f'{middle[peer] / middle[name]:.1f}')
            for name, peer in PICTURES.items()
        ]
        steps.append((size, *(f'{ms:.2f}' for name, ms in middle.items() if name not in PICTURES)))
    write_section('Training input', describe(rows, steps))


def run(whose: str, size: str) -> Dict[str, float]:
    """Measure in a process of its own, since ours keeps freed memory and mmdet's does not."""
    command = [sys.executable, '-m', 'benchmarks.training_input', '--run', whose, size]
    done = subprocess.run(command, cwd=str(REPOSITORY), check=True, stdout=subprocess.PIPE, text=True)
    result: Dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(whose, size, result, flush=True)
    return result


def datasets_of(root: Path, size: str) -> Datasets:
    """Ours and mmdet's of the same images, under the training pipeline of a YOLOX."""
    values = {'export_format': 'ark:raw', 'class_names': list(shapes.CLASS_NAMES)}
    if EXPORT.is_dir():
        values = yaml.safe_load((EXPORT / 'config.yaml').read_text(encoding='utf-8'))
        exports.write_task(root, EXPORT)
    else:
        shapes.write_task(root, 80, 1)
    wrapper = load_config(f'configs/yolox/yolox_{size}_8x8_300e_coco.py').train_dataloader.dataset.to_dict()
    inner = {
        **wrapper['dataset'],
        'index_file': str(root / 'in' / 'train-index.tsv'),
        'export_format': values['export_format'],
        'metainfo': {'classes': tuple(values['class_names'])},
    }
    return MixDataset(inner, wrapper['pipeline']), OfMmdet(inner, wrapper['pipeline'])


def measure_mmdet(ours: MixDataset, theirs: OfMmdet) -> Dict[str, float]:
    """Milliseconds of processor time a picture of mmdet's transforms."""
    return {'mmdet': passed(theirs), 'closing epochs, mmdet': closing(theirs)}


def measure_ours(ours: MixDataset, theirs: OfMmdet) -> Dict[str, float]:
    """Milliseconds of processor time a picture of ours: while the cache is filled, from then on, and of each step."""
    keep_freed_memory()
    begin_cache(ours)
    times = {'first epoch': passed(ours), 'later epochs': passed(ours), 'closing epochs': closing(ours)}
    return {**times, **profile(ours)}


def passed(dataset: Any) -> float:
    """Go through the images once, after a few to warm up."""
    for image in range(-8, len(dataset)):
        if image == 0:
            began = time.process_time()
        dataset[image % len(dataset)]
    return 1000 * (time.process_time() - began) / len(dataset)


def closing(dataset: Any) -> float:
    dataset.update_skip_type_keys(('Mosaic', 'RandomAffine', 'MixUp'))
    return passed(dataset)


def begin_cache(dataset: MixDataset) -> None:
    assert dataset.pictures is not None
    dataset.pictures.cache = ImageCache(dataset.pictures.lengths(), 10**9)
    dataset.pictures.cache.open()


def profile(dataset: MixDataset) -> Dict[str, float]:
    """Milliseconds an image of each step of ours in a first epoch."""
    seconds = {name: 0.0 for name, _, _ in STEPS}
    dataset.update_skip_type_keys(())
    begin_cache(dataset)
    with contextlib.ExitStack() as stack:
        for name, place, function in STEPS:
            stack.enter_context(counted(seconds, name, place, function))
        began = time.process_time()
        for image in range(len(dataset)):
            dataset[image]
        seconds['all else'] = time.process_time() - began - sum(seconds.values())
    return {name: 1000 * value / len(dataset) for name, value in seconds.items()}


@contextlib.contextmanager
def counted(seconds: Dict[str, float], name: str, place: Any, function: str) -> Iterator[None]:
    """Add the processor time that a function takes, as long as this lasts."""
    original: Callable[..., Any] = getattr(place, function)

    def call(*arguments: Any) -> Any:
        began = time.process_time()
        try:
            return original(*arguments)
        finally:
            seconds[name] += time.process_time() - began

    setattr(place, function, call)
    try:
        yield
    finally:
        setattr(place, function, original)


def draw(datasets: Datasets, path: Path) -> None:
    """Draw 16 pictures with their boxes: in each pair ours to the left, mmdet's to the right."""
    tiles = []
    for seed in range(16):
        pair = []
        for dataset in datasets:
            np.random.seed(seed)
            made = dataset[seed % len(dataset)]
            image = np.ascontiguousarray(made['inputs'].numpy().transpose(1, 2, 0))
            for x1, y1, x2, y2 in made['data_samples'].gt_instances.bboxes.tensor.int().tolist():
                cv2.rectangle(image, (x1, y1), (x2, y2), (0, 255, 0), 2)
            pair.append(cv2.resize(image, (320, 320), interpolation=cv2.INTER_AREA))
        tiles.append(np.hstack(pair))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack([np.hstack(tiles[row : row + 2]) for row in range(0, 16, 2)]))


def describe(rows: Sequence[Sequence[str]], steps: Sequence[Sequence[str]]) -> List[str]:
    images = 'photographs of COCO' if EXPORT.is_dir() else 'drawn shapes'
    return [
        f'Training pictures of 640 x 640 from {images}, as YOLOX-tiny and -s see them, on one core.',
        'mmdet and ours in turn, in processor time. Closing epochs have no mosaic, affine and mixup.',
        '',
        machine() + '.',
        '',
        *table(['YOLOX', 'pictures', 'ms a picture', 'pictures/s', "over mmdet's"], rows),
        '',
        'Where the time of a first epoch goes, ms a picture; a later one decodes and keeps nothing:',
        '',
        *table(['YOLOX', *(name for name, _, _ in STEPS), 'all else'], steps),
    ]


if __name__ == '__main__':
    main()
