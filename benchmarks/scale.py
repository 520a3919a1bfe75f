"""What many GPUs need for many images, reckoned from what docs/benchmarks.md has measured: docs/scale.md.

`python -m benchmarks.scale` writes the tables of the page; a test holds it to these numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Dict, List

from benchmarks.page import PAGE as BENCHMARKS
from benchmarks.page import REPOSITORY, table
from executor.machine.shared_memory import shared_memory_for

PAGE = REPOSITORY / 'docs' / 'scale.md'
GPUS, IMAGES = (1, 8, 64), (10**6, 10**7, 10**8)

# Images/s of a GPU: the first two as published (configs/models_on_gpus.tsv), the last assumed for cards of today.
RATES = {'YOLOX-x, V100': 1e3 / 17.3, 'RTMDet-tiny, RTX 3090': 1e3 / 0.98, 'assumed': 4000.0}
_COCO, _EPOCHS, _DAY = 118287, 300, 86400
TRAINING_RATES = {
    'YOLOv5x, V100': _COCO * _EPOCHS / (8 * _DAY),
    'YOLOv5s, V100': _COCO * _EPOCHS / (2 * _DAY),
    'assumed': 800.0,
}
PARAMETERS = {'YOLOv5x, V100': 86.75e6, 'YOLOv5s, V100': 7.24e6, 'assumed': 7.24e6}  # configs/models.tsv

# Measured once, on the same machine as what docs/benchmarks.md has, and by hand.
FILE = 152e3  # bytes of an image of coco80
INDEX_LINE, RESULT_LINE = 56, 75  # bytes of a candidate in its index, which is kept in memory, and in result.tsv
READ_BACK = 5.2e3  # bytes of an image in a program that reads infer-result.json as a whole: Python's json

# Assumed.
GPUS_A_MACHINE = 8
LAUNCHING = 1.0  # cores a GPU that launch its work
PIXELS = 640 * 480 * 3  # bytes of a decoded image
READS = 5  # images that a training picture is made of: four in the mosaic, one mixed in
WORKERS, BATCH, SIDE = 8, 8, 640  # of a training: loading processes a GPU, images a batch, pixels of its sides


@dataclass(frozen=True)
class Costs:
    """What docs/benchmarks.md says of an image: ms on one core, MB and seconds of a million."""

    loading: float  # ms to decode and resize, for inference
    written: float  # s to write the results of a million
    merged: float  # s
    read_back: float  # s
    first_rank: float  # MB of the first rank, for a million
    result: float  # MB of infer-result.json, for a million
    cached: float  # ms of a training picture whose images are in memory
    decoded: float  # ms to decode an image in training
    entry_seconds: float  # to look for an image and to read its annotation
    entry: float  # bytes of an image with its boxes, on each rank
    peak: float  # bytes more of an image, while annotations in ark are read
    coco_peak: float  # the same of one COCO file


def costs(page: str) -> Costs:
    """Read the costs of an image off the page of benchmarks."""
    tiny = next(part for part in re.split(r'^### ', page, flags=re.MULTILINE) if part.startswith('YOLOX-tiny'))
    decode, resize = map(float, re.findall(r'(?:decode|resize) ([\d.]+) ms', tiny)[:2])
    million, start = _row(page, '| 1,000,000, 1 |'), _row(page, '| ark | 12,000 |')
    coco = _row(page, '| coco | 12,000 |')
    return Costs(
        loading=decode + resize,
        written=million[2],
        merged=million[3],
        read_back=million[4],
        first_rank=million[5],
        result=million[6],
        cached=_row(page, '| s | later epochs |')[0],
        decoded=_row(page[page.index('Where the time of a first epoch goes') :], '| s |')[0],
        entry_seconds=(start[0] + start[2]) / 12000,
        entry=start[6] * 1e6 / 12000,
        peak=start[5] * 1e6 / 12000,
        coco_peak=coco[5] * 1e6 / 12000,
    )


def _row(page: str, begin: str) -> List[float]:
    """Read the numbers of the row of a table behind its first cells."""
    line = next(line for line in page.splitlines() if line.startswith(begin))
    return [float(cell) for cell in line[len(begin) :].strip(' |').split('|')]


def detection_rates(cost: Costs, gpus: int, name: str) -> Dict[str, float]:
    """What GPUs that find boxes at a rate need: cores, and MB/s of images to read."""
    rate = RATES[name]
    cores = gpus * (LAUNCHING + rate * (cost.loading / 1e3 + cost.written / 1e6))
    return {'images/s': gpus * rate, 'cores': cores, 'read': gpus * rate * FILE / 1e6}


def detection_sizes(cost: Costs, images: int) -> Dict[str, float]:
    """What candidates take, in GB and in seconds, whatever the number of GPUs."""
    millions = images / 1e6
    return {
        'files': images * FILE / 1e9,
        'results': millions * (cost.result + RESULT_LINE) / 1e3,
        'parts': 2 * millions * (cost.result + RESULT_LINE) / 1e3,
        'first rank': millions * cost.first_rank / 1e3,
        'other rank': images * (INDEX_LINE + 16) / 1e9,
        'merge': millions * cost.merged,
        'platform reads': millions * cost.read_back,
        'platform': images * READ_BACK / 1e9,
    }


def training_rates(cost: Costs, gpus: int, name: str) -> Dict[str, float]:
    """What GPUs that train at a rate need, with all images in memory and with none.

    Gradients in single precision go round all machines in a ring: of N, each sends all but an Nth twice a batch.
    """
    rate, machines = TRAINING_RATES[name], math.ceil(gpus / GPUS_A_MACHINE)
    gradients = 2 * (1 - 1 / machines) * PARAMETERS[name] * 4 * rate / BATCH
    read = cost.cached + READS * cost.decoded
    ranks = min(gpus, GPUS_A_MACHINE)
    return {
        'images/s': gpus * rate,
        'cores': gpus * (LAUNCHING + rate * cost.cached / 1e3),
        'cores, read anew': gpus * (LAUNCHING + rate * read / 1e3),
        'read': gpus * rate * READS * FILE / 1e6,
        'between': gradients / 1e9,
        'shm': shared_memory_for(WORKERS, BATCH * SIDE * SIDE * 3, ranks, use_gpu=True) / 1e9,
    }


def training_sizes(cost: Costs, images: int) -> Dict[str, float]:
    """What a training set takes, in GB of a machine of eight GPUs and in seconds."""
    return {
        'files': images * FILE / 1e9,
        'start': images * cost.entry_seconds,
        'entries': GPUS_A_MACHINE * images * cost.entry / 1e9,
        'peak': images * cost.peak / 1e9,
        'coco peak': images * cost.coco_peak / 1e9,
        'cache': images * PIXELS / 0.5 / 1e9,
    }


def lasting(seconds: float) -> str:
    """Say how long it is in the unit that suits."""
    units = (('days', 86400), ('h', 3600), ('min', 60))
    unit, size = next((one for one in units if seconds >= one[1] * 1.95), ('s', 1))
    return f'{_number(seconds / size)} {unit}'


def rewritten(page: str, benchmarks: str) -> str:
    """Put today's tables in the place of those of the page, which are known by their heads."""
    for head, *rows in tables(costs(benchmarks)):
        page, found = re.subn(rf'^{re.escape(head)}\n(\|.*\n)*', '\n'.join([head, *rows, '']), page, flags=re.MULTILINE)
        assert found == 1, head
    return page


def tables(cost: Costs) -> List[List[str]]:
    """Make all tables of the page."""
    detection = ('GPUs', 'images/s of each in inference', 'images/s of all', 'cores', 'MB/s of images')
    training = (
        *('GPUs', 'images/s of each in training', 'images/s of all', 'cores', 'cores, read anew', 'MB/s, read anew'),
        *('GB/s of a machine to others', 'GB of /dev/shm a machine'),
    )
    many = [f'{images // 10**6} M' for images in IMAGES]
    return [
        table(('an image', 'measured', 'where'), _inputs(cost)),
        table(detection, _rows(cost, detection_rates, RATES)),
        table(('candidates', *many), _size_rows(detection_sizes, cost, _DETECTION)),
        table(('GPUs', 'images/s of each in inference', *many), _time_rows(RATES)),
        table(training, _rows(cost, training_rates, TRAINING_RATES)),
        table(('training set', *many), _size_rows(training_sizes, cost, _TRAINED)),
        table(('GPUs', 'images/s of each in training', *many), _time_rows(TRAINING_RATES)),
    ]


def _inputs(cost: Costs) -> List[List[str]]:
    rows = (
        ('decoded and resized for inference', f'{cost.loading:.1f} ms of a core', 'Inference, YOLOX-tiny'),
        ('results written by all ranks', f'{cost.written:.0f} s a million', 'A million candidates'),
        ('results merged by one', f'{cost.merged:.1f} s a million', 'A million candidates'),
        ('memory of the first rank', f'{cost.first_rank:.0f} B', 'A million candidates'),
        ('infer-result.json, 10 boxes', f'{cost.result:.0f} B', 'A million candidates'),
        ('... read back by Python', f'{cost.read_back:.0f} s a million, {READ_BACK:,.0f} B', 'A million candidates'),
        ('index line, line of result.tsv', f'{INDEX_LINE} B, {RESULT_LINE} B', 'A million candidates'),
        ('a picture, its images in memory', f'{cost.cached:.1f} ms of a core', 'Training input, YOLOX-s'),
        ('an image of it decoded', f'{cost.decoded:.1f} ms of a core', 'Training input, YOLOX-s'),
        ('annotation found and read', f'{cost.entry_seconds * 1e3:.2f} ms', 'Start of a training, ark'),
        ('kept of it on each rank', f'{cost.entry:.0f} B', 'Start of a training, ark'),
        ('more while it is read', f'{cost.peak:,.0f} B', 'Start of a training, ark'),
        ('more while COCO annotations are read', f'{cost.coco_peak:,.0f} B', 'Start of a training, coco'),
        ('its file', f'{FILE / 1e3:.0f} KB', 'mean of `coco80`'),
    )
    return [list(row) for row in rows]


def _rows(cost: Costs, function: object, rates: Dict[str, float]) -> List[List[str]]:
    assert callable(function)
    return [
        [str(gpus), f'{_number(rate)} ({name})', *map(_number, function(cost, gpus, name).values())]
        for gpus in GPUS
        for name, rate in rates.items()
    ]


def _size_rows(function: object, cost: Costs, names: Dict[str, str]) -> List[List[str]]:
    assert callable(function)
    columns = [function(cost, images) for images in IMAGES]
    return [
        [words, *((_number if words.startswith('GB') else lasting)(column[name]) for column in columns)]
        for name, words in names.items()
    ]


def _time_rows(rates: Dict[str, float]) -> List[List[str]]:
    return [
        [str(gpus), f'{_number(rate)} ({name})', *(lasting(images / (gpus * rate)) for images in IMAGES)]
        for gpus in GPUS
        for name, rate in rates.items()
    ]


def _number(value: float) -> str:
    """Round to two digits: none of these is known better."""
    rounded = float(f'{value:.2g}')
    decimals = max(0, 1 - math.floor(math.log10(rounded))) if rounded else 0
    return f'{rounded:,.{decimals}f}'


_DETECTION = {
    'files': 'GB of their files, to read',
    'results': 'GB of infer-result.json and result.tsv',
    'parts': 'GB free in /out, with the parts of all ranks',
    'first rank': 'GB of memory, first rank',
    'other rank': 'GB of memory, each other rank',
    'merge': 'the first rank merges alone for',
    'platform reads': 'a program in Python reads infer-result.json for',
    'platform': 'GB of memory that this program takes',
}
_TRAINED = {
    'files': 'GB of their files, to read',
    'start': 'before the first epoch, files in the page cache',
    'entries': 'GB of memory: entries of eight ranks',
    'peak': 'GB more while the first rank reads them, ark',
    'coco peak': 'GB more while it reads one COCO file',
    'cache': 'GB of free memory with which all images are kept',
}

if __name__ == '__main__':
    PAGE.write_text(
        rewritten(PAGE.read_text(encoding='utf-8'), BENCHMARKS.read_text(encoding='utf-8')), encoding='utf-8'
    )
