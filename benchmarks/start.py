"""The start of a training on a large dataset, step by step, and the memory of its loading processes.

`make benchmark` runs it and writes its section of docs/benchmarks.md. The dataset is made of the images and boxes of
`shared/data/coco80`, or of drawn shapes where they are missing: each line of the index has files of its own, of which
the images are links.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence
from xml.etree import ElementTree

from benchmarks.page import REPOSITORY, machine, table, write_section
from demo import shapes
from demo.task_folder import write_config
from desk.task_folder import write_env, write_index, write_text
from executor.contract.annotations import read_records
from executor.contract.annotations.records import Record, TrueBox
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.index import read_training_index
from executor.contract.inputs import check_inputs
from executor.contract.params import Job
from executor.machine import fork_server
from tests.support import exports

EXPORT = REPOSITORY.parent / 'shared' / 'data' / 'coco80' / 'training-ark' / 'in'
VALIDATION = 24  # lines of the training index for one of validation, as in COCO
FORMATS = ('ark', 'voc', 'coco')
WORKERS = (1, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--lines', type=int, default=12000, help='images to train on; a tenth for comparison')
    parser.add_argument('--task', type=Path, help='only measure the start of this task, and print it as JSON')
    args = parser.parse_args()
    if args.task:
        print(json.dumps(measure(read_job(read_env(args.task)))))
        return
    found: Dict[str, Dict[int, Dict[str, Any]]] = {}
    for export_format in FORMATS:
        found[export_format] = {}
        for lines in (args.lines // 10, args.lines):
            with tempfile.TemporaryDirectory() as folder:
                env_file = write_task(Path(folder), lines, export_format)
                found[export_format][lines] = measured_apart(env_file)
    write_section('Start of a training', describe(found, args.lines))


def measured_apart(env_file: Path) -> Dict[str, Any]:
    """Measure in a process of its own, whose memory nobody else has used."""
    command = [sys.executable, '-m', 'benchmarks.start', '--task', str(env_file)]
    run = subprocess.run(command, cwd=str(REPOSITORY), check=True, stdout=subprocess.PIPE, text=True)
    result: Dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    print(result, flush=True)
    return result


def measure(job: Job) -> Dict[str, Any]:
    """Seconds of each step of a start, MB that it took at most, and that each loading process has for itself."""
    seconds: Dict[str, float] = {}
    with timed(seconds, 'look for all files'):
        check_inputs(job)
    fork_server.begin('executor.training.loading')
    with timed(seconds, 'import'), contextlib.redirect_stdout(io.StringIO()):
        from torch.utils.data import DataLoader

        from executor.training.dataset import YmirDataset
        from executor.training.loading import set_beginning
    before = megabytes('self/status', 'VmRSS')
    paths, params = job.env.input, job.training
    common = {'export_format': params.export_format, 'metainfo': {'classes': params.class_names}}
    with timed(seconds, 'training set'):
        dataset = YmirDataset(**common, index_file=str(paths.training_index_file))
    with timed(seconds, 'validation set'):
        YmirDataset(**common, index_file=str(paths.val_index_file), test_mode=True)
    peak = megabytes('self/status', 'VmHWM') - before
    alone: Dict[int, float] = {}
    for workers in WORKERS:
        options = {'num_workers': workers, 'persistent_workers': True, 'multiprocessing_context': fork_server.CONTEXT}
        loader = DataLoader(
            dataset, batch_size=16, shuffle=True, collate_fn=len, worker_init_fn=collect_garbage, **options
        )
        set_beginning(loader, threads=1)
        assert sum(loader) == len(dataset)
        processes = [f'{process.pid}/smaps_rollup' for process in loader._iterator._workers]
        alone[workers] = max(megabytes(place, 'Private_Dirty') for place in processes)
    kept = dataset.data_bytes.nbytes / 1e6
    return {'seconds': seconds, 'peak': peak, 'kept': kept, 'alone': alone}


def collect_garbage(worker: int) -> None:
    """Look through all objects, as each loading process does in the long run."""
    gc.collect()


@contextlib.contextmanager
def timed(seconds: Dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started


def megabytes(place: str, entry: str) -> float:
    """An entry of a file below /proc that is in kB."""
    lines = (Path('/proc') / place).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f'{entry}:')) * 1024 / 1e6


def describe(found: Dict[str, Dict[int, Dict[str, Any]]], lines: int) -> List[str]:
    """What was measured on what, and a row a format and size."""
    data = 'the images of coco80' if EXPORT.is_dir() else 'drawn shapes'
    rows = []
    for export_format, sizes in found.items():
        for count, result in sizes.items():
            seconds = result['seconds']
            rows.append(
                (
                    *(export_format, f'{count:,}', *(f'{value:.1f}' for value in seconds.values())),
                    f'{sum(seconds.values()):.1f}',
                    *(f'{value:.0f}' for value in (result['peak'], result['kept'], *result['alone'].values())),
                )
            )
    head = ('annotations', 'images', *next(iter(found['ark'].values()))['seconds'], 'together')
    memory = ('peak', 'training set', *(f'a worker, of {count}' for count in WORKERS))
    return [
        f'The steps of a start on {data}, one to validate with for {VALIDATION} to train on, each with annotations of',
        'its own; all files are in the page cache. Seconds; then MB: what reading takes beside the libraries, what',
        'is kept of the training set, and what each loading process has for itself after an epoch without decoding;',
        'the set counts as the own of a single one, since nobody else looks at it.',
        '',
        f'{machine()}.',
        '',
        *table((*head, *(f'MB: {name}' for name in memory)), rows),
    ]


def write_task(root: Path, lines: int, export_format: str) -> Path:
    """Write a training task of so many images below `root`, in one of the formats of annotations."""
    source = root / 'source'
    env_file = exports.write_task(source, EXPORT) if EXPORT.is_dir() else shapes.write_task(source, 80, 80)
    job = read_job(read_env(env_file))
    classes = job.training.class_names
    records: List[Record] = []
    for index in (job.env.input.training_index_file, job.env.input.val_index_file):
        records += read_records(read_training_index(index), job.training.export_format, classes)
    write = {'ark': write_ark, 'voc': write_voc, 'coco': write_coco}[export_format]
    env_file = write_env(root)
    images, known = [], []
    for number in range(lines + lines // VALIDATION):
        record = records[number % len(records)]
        image = root / 'in' / 'assets' / f'{number % 256:02x}' / f'{number:040x}{record.image.suffix}'
        image.parent.mkdir(exist_ok=True)
        os.symlink(record.image, image)
        images.append(image)
        known.append(record.boxes)
    annotations = write(root / 'in' / 'annotations', images, known, classes)
    rows = list(zip(images, annotations))
    write_index(root, 'train-index.tsv', rows[:lines])
    write_index(root, 'val-index.tsv', rows[lines:])
    write_config(root, class_names=list(classes), export_format=f'{export_format}:raw', config_file=shapes.CONFIG_FILE)
    return env_file


Boxes = Sequence[TrueBox]
Writer = Callable[[Path, Sequence[Path], Sequence[Boxes], Sequence[str]], List[Path]]


def write_ark(folder: Path, images: Sequence[Path], known: Sequence[Boxes], classes: Sequence[str]) -> List[Path]:
    files = []
    for image, boxes in zip(images, known):
        rows = (f'{box.label}, {_corners(box)}, -1.0, 0.0\n' for box in boxes)
        files.append(write_text(folder / image.parent.name / f'{image.stem}.txt', ''.join(rows)))
    return files


def write_voc(folder: Path, images: Sequence[Path], known: Sequence[Boxes], classes: Sequence[str]) -> List[Path]:
    files = []
    for image, boxes in zip(images, known):
        root = ElementTree.Element('annotation')
        for tag in ('folder', 'filename', 'segmented', 'image_quality'):
            ElementTree.SubElement(root, tag).text = str(image)
        for box in boxes:
            element = ElementTree.SubElement(root, 'object')
            ElementTree.SubElement(element, 'name').text = classes[box.label]
            for tag in ('pose', 'truncated', 'occluded', 'box_quality', 'confidence'):
                ElementTree.SubElement(element, tag).text = 'unknown'
            ElementTree.SubElement(element, 'difficult').text = '0'
            bndbox = ElementTree.SubElement(element, 'bndbox')
            for tag, corner in zip(('xmin', 'ymin', 'xmax', 'ymax'), _corners(box).split(', ')):
                ElementTree.SubElement(bndbox, tag).text = corner
        text = ElementTree.tostring(root, encoding='unicode')
        files.append(write_text(folder / image.parent.name / f'{image.stem}.xml', text))
    return files


def write_coco(folder: Path, images: Sequence[Path], known: Sequence[Boxes], classes: Sequence[str]) -> List[Path]:
    data: Dict[str, List[Dict[str, object]]] = {
        'images': [{'id': n, 'file_name': image.name, 'width': 640, 'height': 480} for n, image in enumerate(images)],
        'categories': [{'id': label, 'name': name} for label, name in enumerate(classes)],
        'annotations': [],
    }
    for number, boxes in enumerate(known):
        for box in boxes:
            bbox = [box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1]
            entry = {'id': len(data['annotations']), 'image_id': number, 'category_id': box.label, 'bbox': bbox}
            data['annotations'].append({**entry, 'area': bbox[2] * bbox[3], 'iscrowd': int(box.ignore)})
    return [write_text(folder / 'coco-annotations.json', json.dumps(data))] * len(images)


def _corners(box: TrueBox) -> str:
    return f'{box.x1:.0f}, {box.y1:.0f}, {box.x2 - 1:.0f}, {box.y2 - 1:.0f}'


if __name__ == '__main__':
    main()
