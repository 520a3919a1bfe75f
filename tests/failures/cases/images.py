"""Images that cannot be decoded."""

from __future__ import annotations

from typing import Tuple

import cv2

from tests.failures.case import Case, rows
from tests.failures.task import INFERENCE, MINING, Task, change, changes, config, content, folder

_TRAIN, _VAL = 'in/assets/train-2.jpg', 'in/assets/val-1.jpg'
_case = rows(300003, heavy=True)


@change
def cut_png(task: Task, name: str) -> None:
    """A PNG whose header is sound and whose pixels are cut off."""
    whole = cv2.imencode('.png', cv2.imread(str(task.path(name))))[1].tobytes()
    task.write(name, whole[:200])


CASES: Tuple[Case, ...] = (
    _case('a training image is no image', content(_TRAIN, 'no image'), f'/{_TRAIN}', 'replace or remove it'),
    _case('a training image is empty', content(_TRAIN, ''), f'/{_TRAIN}', 'replace or remove it'),
    _case('a training image is cut off', cut_png(_TRAIN), f'/{_TRAIN}', 'replace or remove it'),
    _case(
        'a training image is cut off, read by another process',
        changes(cut_png(_TRAIN), config(workers_per_gpu=1)),
        f'/{_TRAIN}',
        'replace or remove it',
    ),
    _case('a validation image is no image', content(_VAL, 'no image'), f'/{_VAL}', 'replace or remove it'),
    _case('a validation image is cut off', cut_png(_VAL), f'/{_VAL}', 'replace or remove it'),
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
