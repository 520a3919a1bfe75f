from __future__ import annotations

from pathlib import Path

import pytest

from executor.contract.errors import DatasetError
from executor.contract.index import IndexLine, read_training_index
from tests.task_folder import TaskFolder, add_annotation, add_image, write_index

# Every file that a test may list; the second is named as the platform does, the others hold what paths may hold.
IMAGES = ['a.jpg', '0a/da39a3ee5e6b4b0d3255bfef95601890afd8070a', 'with blank.jpg', 'line\u2028separator.jpg']
ANNOTATIONS = ['a.txt', '0a/da39a3ee5e6b4b0d3255bfef95601890afd8070a.txt', 'with blank.txt']


@pytest.fixture
def folders(ymir_task: TaskFolder) -> dict[str, Path]:
    for name in IMAGES:
        add_image(ymir_task.root, name)
    for name in ANNOTATIONS:
        add_annotation(ymir_task.root, name)
    return {'img': ymir_task.root / 'in' / 'assets', 'ann': ymir_task.root / 'in' / 'annotations'}


@pytest.mark.parametrize(
    'text, expected',
    [
        ('{img}/a.jpg\t{ann}/a.txt', [('a.jpg', 'a.txt', 1)]),
        ('{img}/a.jpg\t{ann}/a.txt\n', [('a.jpg', 'a.txt', 1)]),
        (
            '\n  \n{img}/a.jpg\t{ann}/a.txt\n\n{img}/with blank.jpg\t{ann}/with blank.txt\n\n',
            [('a.jpg', 'a.txt', 3), ('with blank.jpg', 'with blank.txt', 5)],
        ),
        ('{img}/a.jpg\t{ann}/a.txt\r\n\r\n', [('a.jpg', 'a.txt', 1)]),
        (' {img}/a.jpg \t {ann}/a.txt \n', [('a.jpg', 'a.txt', 1)]),
        ('{img}/a.jpg\t{ann}/a.txt\tmore\n', [('a.jpg', 'a.txt', 1)]),
        (
            f'{{img}}/{IMAGES[1]}\t{{ann}}/{ANNOTATIONS[1]}\n{{img}}/a.jpg\t{{ann}}/a.txt\n',
            [(IMAGES[1], ANNOTATIONS[1], 1), ('a.jpg', 'a.txt', 2)],
        ),
        (
            '{img}/line\u2028separator.jpg\t{ann}/a.txt\n{img}/a.jpg\t{ann}/a.txt\n',
            [('line\u2028separator.jpg', 'a.txt', 1), ('a.jpg', 'a.txt', 2)],
        ),
    ],
)
def test_a_line_an_image(ymir_task: TaskFolder, folders, text, expected):
    path = ymir_task.root / 'in' / 'train-index.tsv'
    path.write_bytes(text.format(**folders).encode())
    assert read_training_index(path) == tuple(
        IndexLine(folders['img'] / image, folders['ann'] / annotation, f'{path}:{line}')
        for image, annotation, line in expected
    )


@pytest.mark.parametrize('text', ['', '\n \n\t\n'])
def test_no_image(ymir_task: TaskFolder, text):
    path = ymir_task.write('in/train-index.tsv', text)
    with pytest.raises(DatasetError) as caught:
        read_training_index(path)
    assert str(caught.value) == f'{path} lists no image: choose a dataset that has some'
    assert caught.value.code == 300002


@pytest.mark.parametrize('line', ['{img}/a.jpg', '{img}/a.jpg {ann}/a.txt', '{img}/a.jpg\t', '\t{ann}/a.txt'])
def test_a_line_without_two_columns(ymir_task: TaskFolder, folders, line):
    line = line.format(**folders)
    path = ymir_task.write('in/val-index.tsv', '{img}/a.jpg\t{ann}/a.txt\n\n'.format(**folders) + line + '\n')
    with pytest.raises(DatasetError) as caught:
        read_training_index(path)
    assert str(caught.value) == f'{path}:3: expected <image><tab><annotation>, found {line!r}'
    assert caught.value.code == 300002


@pytest.mark.parametrize(
    'rows, counted',
    [
        ([('{img}/a.jpg', '{ann}/b.txt')], '1 listed files are not on disk: {ann}/b.txt ({index}:1): '),
        ([('{img}/b.jpg', '{ann}/a.txt')], '1 listed files are not on disk: {img}/b.jpg ({index}:1): '),
        ([('{img}', '{ann}/a.txt')], '1 listed files are not on disk: {img} ({index}:1): '),
        (
            [('{img}/a.jpg', '{ann}/a.txt'), ('{img}/b.jpg', '{ann}/b.txt')],
            '2 listed files are not on disk: {img}/b.jpg ({index}:2), {ann}/b.txt ({index}:2): ',
        ),
        (
            [('{img}/b.jpg', '{ann}/a.txt')] * 5,
            '5 listed files are not on disk: '
            + ', '.join(f'{{img}}/b.jpg ({{index}}:{line})' for line in (1, 2, 3, 4, 5))
            + ': ',
        ),
        (
            [('{img}/b.jpg', '{ann}/a.txt')] * 6,
            '6 listed files are not on disk: '
            + ', '.join(f'{{img}}/b.jpg ({{index}}:{line})' for line in (1, 2, 3, 4, 5))
            + ', ...: ',
        ),
    ],
)
def test_a_listed_file_is_missing(ymir_task: TaskFolder, folders, rows, counted):
    path = write_index(ymir_task.root, 'i.tsv', [[column.format(**folders) for column in row] for row in rows])
    with pytest.raises(DatasetError) as caught:
        read_training_index(path)
    assert str(caught.value) == counted.format(index=path, **folders) + 'export the dataset again'
    assert caught.value.code == 300002


def test_no_index_file(tmp_path):
    with pytest.raises(DatasetError) as caught:
        read_training_index(tmp_path / 'i.tsv')
    message = f'index file {tmp_path}/i.tsv cannot be read (No such file or directory): export the dataset again'
    assert str(caught.value) == message


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / 'i.tsv').write_bytes(b'/in/\xe9.jpg\t/in/a.txt\n')
    with pytest.raises(DatasetError, match=r'i\.tsv is not UTF-8 text \(byte 4\)'):
        read_training_index(tmp_path / 'i.tsv')
