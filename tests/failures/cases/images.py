"""Images that cannot be decoded."""

from __future__ import annotations

import os
import struct
from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.task import INFERENCE, MINING, Task, change, changes, config, content, folder

_TRAIN, _VAL = 'in/assets/train-2.jpg', 'in/assets/val-1.jpg'
_case = rows(300003, heavy=True)


@change
def cut(task: Task, name: str) -> None:
    """A JPEG whose header is sound and of whose pixels half are cut off."""
    whole = task.path(name).read_bytes()
    task.write(name, whole[: len(whole) // 2])


@change
def promising(task: Task, name: str) -> None:
    """A JPEG whose header says 30000 x 30001 pixels."""
    whole = task.path(name).read_bytes()
    place = whole.index(b'\xff\xc0') + 5
    task.write(name, whole[:place] + struct.pack('>HH', 30001, 30000) + whole[place + 4 :])


@change
def grown(task: Task, *names: str) -> None:
    """A file with a hole, of a terabyte."""
    for name in names:
        os.truncate(str(task.path(name)), 10**12)


@change
def pipe(task: Task, name: str) -> None:
    """A pipe in the place of a file, into which nobody writes."""
    task.path(name).unlink()
    os.mkfifo(str(task.path(name)))


CASES: Tuple[Case, ...] = (
    _case('a training image is no image', content(_TRAIN, 'no image'), f'/{_TRAIN}', 'replace or remove it'),
    _case('a training image is empty', content(_TRAIN, ''), f'/{_TRAIN}', 'replace or remove it'),
    _case('a training image is cut off', cut(_TRAIN), f'/{_TRAIN}', 'replace or remove it'),
    _case(
        'a training image is cut off, read by another process',
        changes(cut(_TRAIN), config(workers_per_gpu=1)),
        f'/{_TRAIN}',
        'replace or remove it',
    ),
    _case('a validation image is no image', content(_VAL, 'no image'), f'/{_VAL}', 'replace or remove it'),
    _case('a validation image is cut off', cut(_VAL), f'/{_VAL}', 'replace or remove it'),
    _case(
        'a training image promises more pixels than its file can hold',
        promising(_TRAIN),
        f'/{_TRAIN} is not an image that can be decoded: replace or remove it',
        'promises 30000 x 30001 pixels',
    ),
    _case('a validation image is a file of a terabyte', grown(_VAL), f'/{_VAL} has 1000000000000 bytes', 'memory'),
    _case(
        'a training image is a pipe',
        pipe(_TRAIN),
        f'/{_TRAIN} (/in/train-index.tsv:2)',
        'cannot be found or may not be read',
        code=300002,
        heavy=False,
    ),
    _case(
        'a training image is a folder',
        folder(_TRAIN),
        f'/{_TRAIN} (/in/train-index.tsv:2)',
        'export the dataset again',
        code=300002,
        heavy=False,
    ),
    _case(
        'no candidate can be decoded',
        changes(content('in/assets/new-1.jpg', 'no image'), content('in/assets/new-2.jpg', '')),
        'none of the 2 candidates can be decoded',
        '/in/assets/new-1.jpg',
        'give jpg, png',
        task=INFERENCE,
    ),
    _case(
        'no candidate has room in memory',
        grown('in/assets/new-1.jpg', 'in/assets/new-2.jpg'),
        'none of the 2 candidates can be decoded',
        '/in/assets/new-1.jpg has 1000000000000 bytes, more than memory has room for',
        task=MINING,
    ),
    _case(
        'no candidate is there',
        content('in/candidate-index.tsv', '{root}/in/assets/gone.jpg\n'),
        '1 file (/in/assets/gone.jpg (/in/candidate-index.tsv:1)) that cannot be found',
        task=MINING,
        code=300002,
        heavy=False,
    ),
    _case(
        'the only candidate is a folder',
        changes(folder('in/assets/new.jpg'), content('in/candidate-index.tsv', '{root}/in/assets/new.jpg\n')),
        '1 file (/in/assets/new.jpg (/in/candidate-index.tsv:1)) that cannot be found',
        task=INFERENCE,
        code=300002,
        heavy=False,
    ),
)
