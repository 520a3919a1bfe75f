"""Index files."""

from __future__ import annotations

from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.task import INFERENCE, MINING, changes, config, content, folder, more_lines, pipe, removed

_TRAIN, _VAL, _NEW = 'in/train-index.tsv', 'in/val-index.tsv', 'in/candidate-index.tsv'
_case = rows(300002)


CASES: Tuple[Case, ...] = (
    _case('the training index is missing', removed(_TRAIN), f'/{_TRAIN} cannot be read', 'export'),
    _case('the validation index is missing', removed(_VAL), f'/{_VAL} cannot be read', 'export'),
    _case('the index of candidates is missing', removed(_NEW), f'/{_NEW} cannot be read', task=INFERENCE),
    _case('the training index is a folder', folder(_TRAIN), f'/{_TRAIN} cannot be read', 'Is a directory'),
    _case(
        'the index of candidates is a folder', folder(_NEW), f'/{_NEW} cannot be read', 'Is a directory', task=MINING
    ),
    _case('the training index is a pipe', pipe(_TRAIN), f'/{_TRAIN} cannot be read', 'not a regular file'),
    _case(
        'the index of candidates is a pipe', pipe(_NEW), f'/{_NEW} cannot be read', 'not a regular file', task=MINING
    ),
    _case('the training index is empty', content(_TRAIN, ''), f'/{_TRAIN} lists no image', 'choose a dataset'),
    _case('the validation index has blank lines only', content(_VAL, '\n\n'), f'/{_VAL} lists no image'),
    _case('the index of candidates is empty', content(_NEW, '\n'), f'/{_NEW} lists no image', task=INFERENCE),
    _case('the training index is not text', content(_TRAIN, b'\xff\xfe/in'), f'/{_TRAIN} is not UTF-8', 'byte 0'),
    _case(
        'the index of candidates is not text',
        content(_NEW, b'/in/assets/new-1.jpg\n\xff\n'),
        f'/{_NEW} is not UTF-8',
        'byte 21',
        task=MINING,
    ),
    _case(
        'a line of the training index has no annotation',
        more_lines(_TRAIN, '/in/assets/new.jpg'),
        f'/{_TRAIN}:5: expected <image><tab><annotation>',
        "'/in/assets/new.jpg'",
    ),
    _case(
        'a line of the training index has blanks instead of a tab',
        more_lines(_TRAIN, '/in/assets/train-1.jpg /in/annotations/train-1.txt'),
        f'/{_TRAIN}:5: expected <image><tab><annotation>',
    ),
    _case(
        'a line of the index of candidates has no image',
        more_lines(_NEW, '\t/in/annotations/new.txt'),
        f'/{_NEW}:3: expected <image>',
        task=INFERENCE,
    ),
    _case(
        'a listed image is missing',
        removed('in/assets/train-2.jpg'),
        f'/{_TRAIN} lists 1 file (/in/assets/train-2.jpg (/{_TRAIN}:2)) that cannot be found',
        'export the dataset again',
    ),
    _case(
        'a listed annotation is missing',
        removed('in/annotations/train-3.txt'),
        f'/in/annotations/train-3.txt (/{_TRAIN}:3)',
        'export the dataset again',
    ),
    _case(
        'a listed annotation of the validation set is missing',
        removed('in/annotations/val-1.txt'),
        f'/in/annotations/val-1.txt (/{_VAL}:1)',
    ),
    _case(
        'many listed files are missing',
        removed(
            *(
                f'in/{folder}-{n}.{end}'
                for folder, end in (('assets/train', 'jpg'), ('annotations/train', 'txt'))
                for n in (1, 2, 3)
            )
        ),
        f'/{_TRAIN} lists 6 files (',
        *(f'train-{n}.jpg' for n in (1, 2, 3)),
        'annotations/train-2.txt',
        ', ...',
    ),
    _case(
        'some listed candidates are missing',
        changes(removed('in/assets/new-2.jpg'), more_lines(_NEW, '{root}/in/assets/gone.jpg')),
        f'/{_NEW} lists 2 files (/in/assets/new-2.jpg (/{_NEW}:2), /in/assets/gone.jpg (/{_NEW}:3))',
        'that cannot be found',
        'export the dataset again',
        task=MINING,
    ),
    _case(
        'a listed file name is longer than any can be',
        more_lines(_TRAIN, f'{{root}}/in/assets/{"x" * 300}.jpg\t{{root}}/in/annotations/train-1.txt'),
        f'/{_TRAIN}:5',
        'export the dataset again',
    ),
    _case(
        'a listed path holds a character that no path may hold',
        more_lines(_TRAIN, '{root}/in/assets/train\0.jpg\t{root}/in/annotations/train-1.txt'),
        f'/{_TRAIN}:5',
    ),
    _case(
        'a listed annotation lies outside the input folders',
        more_lines(_TRAIN, '{root}/in/assets/train-1.jpg\t/etc/passwd'),
        f'/{_TRAIN}:5',
        '/etc/passwd',
        'outside',
    ),
    _case(
        'a listed image lies outside the input folders',
        changes(
            content('elsewhere.jpg', 'not to be read'),
            more_lines(_TRAIN, '{root}/in/assets/../../elsewhere.jpg\t{root}/in/annotations/train-1.txt'),
        ),
        f'/{_TRAIN}:5',
        'elsewhere.jpg',
        'outside',
    ),
    _case(
        'a candidate lies outside the input folders',
        more_lines(_NEW, '/etc/passwd'),
        f'/{_NEW}:3',
        '/etc/passwd',
        'outside',
        task=INFERENCE,
    ),
    _case(
        'an image is listed with two annotations',
        more_lines(_TRAIN, '{root}/in/assets/train-1.jpg\t{root}/in/annotations/train-2.txt'),
        f'/{_TRAIN}:5: /in/assets/train-1.jpg has another annotation here than in /{_TRAIN}:1',
        'export the dataset again',
    ),
    _case(
        'export_format is not that of the annotations',
        config(export_format='voc:raw'),
        '/in/annotations/train-1.txt:1',
        'expected VOC xml',
        'set export_format',
        heavy=True,
    ),
)
