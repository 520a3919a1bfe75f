from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
from pathlib import Path

import pytest

from executor.contract.errors import DatasetError
from executor.contract.index import (
    CandidateIndex,
    IndexLine,
    check_listed,
    read_candidate_index,
    read_training_index,
)
from tests.support.peak_memory import peak_memory
from executor.local.task_folder import add_annotation, add_image, write_index
from tests.support.task_folder import TaskFolder

# Every file that a test may list; the second is named as the platform does, the others hold what paths may hold.
IMAGES = ['a.jpg', '0a/da39a3ee5e6b4b0d3255bfef95601890afd8070a', 'with blank.jpg', 'line\u2028separator.jpg']
ANNOTATIONS = ['a.txt', '0a/da39a3ee5e6b4b0d3255bfef95601890afd8070a.txt', 'with blank.txt']


# --- training -------------------------------------------------------------------------------------------------------


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
    assert str(caught.value) == f'{path}:3: expected <image><tab><annotation>, found {line!r}: export the dataset again'
    assert caught.value.code == 300002


def test_a_training_index_is_read_without_its_files(ymir_task: TaskFolder):
    path = write_index(ymir_task.root, 'i.tsv', [('/nowhere/a.jpg', '/nowhere/a.txt')])
    assert read_training_index(path) == (IndexLine(Path('/nowhere/a.jpg'), Path('/nowhere/a.txt'), f'{path}:1'),)


def test_no_index_file(tmp_path):
    with pytest.raises(DatasetError) as caught:
        read_training_index(tmp_path / 'i.tsv')
    message = f'index file {tmp_path}/i.tsv cannot be read (No such file or directory): export the dataset again'
    assert str(caught.value) == message


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / 'i.tsv').write_bytes(b'/in/\xe9.jpg\t/in/a.txt\n')
    with pytest.raises(DatasetError, match=r'i\.tsv is not UTF-8 text \(byte 4\)'):
        read_training_index(tmp_path / 'i.tsv')


# --- candidates -----------------------------------------------------------------------------------------------------


def candidates(path: Path, text: str) -> CandidateIndex:
    path.write_bytes(text.encode())
    return read_candidate_index(path)


@pytest.mark.parametrize(
    'text, expected',
    [
        ('/in/a.jpg', [('/in/a.jpg', 1)]),
        ('/in/a.jpg\n', [('/in/a.jpg', 1)]),
        ('/in/a.jpg\r\n', [('/in/a.jpg', 1)]),
        ('/in/a.jpg\r\n\r\n/in/b.jpg\r\n', [('/in/a.jpg', 1), ('/in/b.jpg', 3)]),
        ('/in/a.jpg\t\n/in/b.jpg\tmore\tand more\r\n', [('/in/a.jpg', 1), ('/in/b.jpg', 2)]),
        (
            '\n \t \n/in/a.jpg\n\n\n/in/b.jpg\n/in/c.jpg\n\n/in/d.jpg\n\n',
            [('/in/a.jpg', 3), ('/in/b.jpg', 6), ('/in/c.jpg', 7), ('/in/d.jpg', 9)],
        ),
        # Exactly as in the index: blanks belong to the path, also at its ends.
        ('/in/with blank.jpg\n /in/b.jpg \n', [('/in/with blank.jpg', 1), (' /in/b.jpg ', 2)]),
        (
            '/in/Größe-日本.jpg\n/in/😀.jpg\tü\n/in/a.jpg',
            [('/in/Größe-日本.jpg', 1), ('/in/😀.jpg', 2), ('/in/a.jpg', 3)],
        ),
        ('/in/line\u2028separator\x0b\x85.jpg\nb', [('/in/line\u2028separator\x0b\x85.jpg', 1), ('b', 2)]),
        ('/in/a.jpg\n/in/a.jpg\n', [('/in/a.jpg', 1), ('/in/a.jpg', 2)]),
    ],
)
def test_candidates(tmp_path, text, expected):
    index = candidates(tmp_path / 'i.tsv', text)
    assert len(index) == len(expected)
    assert list(index) == [image for image, _ in expected]
    assert [index.place(i) for i in range(len(index))] == [f'{tmp_path}/i.tsv:{line}' for _, line in expected]


def test_candidates_need_not_exist_on_disk(tmp_path):
    assert candidates(tmp_path / 'i.tsv', '/nowhere/a.jpg\n')[0] == '/nowhere/a.jpg'


def test_positions_as_of_a_list(tmp_path):
    index = candidates(tmp_path / 'i.tsv', 'a\nb\nc\n')
    assert [index[i] for i in (2, 0, -1, -3)] == ['c', 'a', 'c', 'a']
    assert 'b' in index and 'd' not in index
    for position in (3, -4):
        with pytest.raises(IndexError):
            index[position]
    for position in (slice(0, 2), 1.0, '1'):
        with pytest.raises(TypeError):
            index[position]


@pytest.mark.parametrize('duplicate', [copy.copy, lambda index: pickle.loads(pickle.dumps(index))])
def test_candidates_after_pickling(tmp_path, duplicate):
    index = candidates(tmp_path / 'i.tsv', 'a\n\nb\n')
    other = duplicate(index)
    del index  # which closes its file
    gc.collect()
    assert list(other) == ['a', 'b']
    assert other.place(1) == f'{tmp_path}/i.tsv:3'


def test_candidates_in_forked_processes(tmp_path):
    index = candidates(tmp_path / 'i.tsv', ''.join(f'/in/{i}.jpg\n' for i in range(2000)))
    with multiprocessing.get_context('fork').Pool(4, initializer=_remember, initargs=(index,)) as pool:
        found = pool.map(_recall, range(2000), chunksize=10)
    assert found == [f'/in/{i}.jpg' for i in range(2000)]


def _remember(index: CandidateIndex) -> None:
    global _index
    _index = index


def _recall(position: int) -> str:
    return _index[position]


def test_an_index_that_is_no_longer_used_closes_its_file(tmp_path):
    gc.collect()
    before = os.listdir('/proc/self/fd')
    index = candidates(tmp_path / 'i.tsv', 'a\n')
    assert len(os.listdir('/proc/self/fd')) == len(before) + 1
    del index
    gc.collect()
    assert len(os.listdir('/proc/self/fd')) == len(before)


@pytest.mark.parametrize('text', ['', '\n \n\t\n', '\r\n'])
def test_no_candidate(tmp_path, text):
    with pytest.raises(DatasetError) as caught:
        candidates(tmp_path / 'i.tsv', text)
    assert str(caught.value) == f'{tmp_path}/i.tsv lists no image: choose a dataset that has some'
    assert caught.value.code == 300002


@pytest.mark.parametrize('name, reason', [('i.tsv', 'No such file or directory'), ('', 'Is a directory')])
def test_no_candidate_index_file(tmp_path, name, reason):
    with pytest.raises(DatasetError) as caught:
        read_candidate_index(tmp_path / name)
    assert str(caught.value) == f'index file {tmp_path / name} cannot be read ({reason}): export the dataset again'


@pytest.mark.parametrize(
    'data, byte',
    [
        (b'/in/\xe9.jpg\n', 4),
        (b'/in/a.jpg\n\n/in/\xe9.jpg\n', 15),
        (b'/in/a.jpg\t\xff\n', 10),  # also in a column that does not count
        ('/in/ü.jpg\n'.encode() + b'\xc3', 11),
        (b'/in/\xed\xa0\xbd.jpg\n', 4),  # a surrogate
    ],
)
def test_candidates_that_are_no_text(tmp_path, data, byte):
    (tmp_path / 'i.tsv').write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        read_candidate_index(tmp_path / 'i.tsv')
    message = f'index file {tmp_path}/i.tsv is not UTF-8 text (byte {byte}): export the dataset again'
    assert str(caught.value) == message


@pytest.mark.parametrize('line', ['\t/in/b.jpg', ' \t/in/b.jpg'])
def test_a_line_without_a_candidate(tmp_path, line):
    with pytest.raises(DatasetError) as caught:
        candidates(tmp_path / 'i.tsv', f'/in/a.jpg\n\n{line}\r\n')
    assert str(caught.value) == f'{tmp_path}/i.tsv:3: expected <image>, found {line!r}: export the dataset again'


READ_CANDIDATES = """
import sys
from pathlib import Path
from executor.contract.index import read_candidate_index
index = read_candidate_index(Path(sys.argv[1]))
assert len(index) == int(sys.argv[2])
assert sum(1 for path in index if path.startswith('/in/assets/')) == len(index)
"""


def test_a_million_candidates_take_little_memory(tmp_path):
    peaks = []
    for count in (1000, 1_000_000):
        path = tmp_path / f'{count}.tsv'
        with path.open('w') as stream:
            stream.writelines(f'/in/assets/{i % 256:02x}/{i:040x}.jpg\n' for i in range(count))
        peaks.append(peak_memory(READ_CANDIDATES, path, count))
    assert 8 < peaks[1] - peaks[0] < 25  # MB; the text alone is 59


# --- the files that an index lists ----------------------------------------------------------------------------------

LOST = 'that cannot be found or may not be read: export the dataset again'


def listed(ymir_task: TaskFolder, *paths: str) -> None:
    """Check paths as those of the lines 11, 12, ... of an index; `{in}` is the input folder, `{root}` the task's."""
    folders = {'in': ymir_task.root / 'in', 'root': ymir_task.root}
    lines = [(number, path.format(**folders)) for number, path in enumerate(paths)]
    check_listed(Path('/in/i.tsv'), lines, lambda number: f'i.tsv:{number + 11}', ymir_task.env().input)


@pytest.mark.parametrize(
    'paths',
    [
        [],
        ['{in}/assets/a.jpg'],
        ['{in}/assets/a.jpg', '{in}/annotations/a.txt', '{in}/top.txt'],
        ['{in}/assets/../assets/a.jpg', '{in}//assets/./a.jpg', '{root}/out/../in/assets/a.jpg'],
        ['{in}/assets/0a/..jpg'],  # dots that lead nowhere
    ],
)
def test_listed_files_that_are_there(ymir_task: TaskFolder, folders, paths):
    add_image(ymir_task.root, '0a/..jpg')
    ymir_task.write('in/top.txt', '')
    listed(ymir_task, *paths)


@pytest.mark.parametrize(
    'paths, counted',
    [
        (['{in}/assets/b.jpg'], '1 file ({in}/assets/b.jpg (i.tsv:11))'),
        (['{in}/assets/a.jpg', '{in}/assets'], '1 file ({in}/assets (i.tsv:12))'),  # a folder is no file
        (['{in}/assets/a.jpg/b.jpg'], '1 file ({in}/assets/a.jpg/b.jpg (i.tsv:11))'),
        (
            ['{in}/assets/b.jpg', '{in}/assets/a.jpg', '{in}/assets/c.jpg'],
            '2 files ({in}/assets/b.jpg (i.tsv:11), {in}/assets/c.jpg (i.tsv:13))',
        ),
        (
            [f'{{in}}/assets/lost{n}.jpg' for n in range(5)],
            '5 files (' + ', '.join(f'{{in}}/assets/lost{n}.jpg (i.tsv:{n + 11})' for n in range(5)) + ')',
        ),
        (
            [f'{{in}}/assets/lost{n}.jpg' for n in range(6)],
            '6 files (' + ', '.join(f'{{in}}/assets/lost{n}.jpg (i.tsv:{n + 11})' for n in range(5)) + ', ...)',
        ),
        (['{in}/assets/a.jpg\0'], '1 file ({in}/assets/a.jpg\0 (i.tsv:11))'),  # names that no file can have
    ],
)
def test_a_listed_file_is_missing(ymir_task: TaskFolder, folders, paths, counted):
    with pytest.raises(DatasetError) as caught:
        listed(ymir_task, *paths)
    named = counted.format(**{'in': ymir_task.root / 'in'})
    assert str(caught.value) == f'/in/i.tsv lists {named} {LOST}'
    assert caught.value.code == 300002


def test_a_listed_name_that_is_too_long_for_a_file_is_shortened(ymir_task: TaskFolder):
    with pytest.raises(DatasetError) as caught:
        listed(ymir_task, '{in}/assets/' + 'x' * 100_000)
    assert str(caught.value).startswith(f'/in/i.tsv lists 1 file ({ymir_task.root}/in/assets/xxx')
    assert str(caught.value).endswith(f'xxx (i.tsv:11)) {LOST}')
    assert len(str(caught.value)) < 400


def test_of_a_hundred_thousand_missing_files_five_are_named(ymir_task: TaskFolder):
    with pytest.raises(DatasetError) as caught:
        listed(ymir_task, *(f'{{in}}/assets/{number}.jpg' for number in range(100_000)))
    five = ', '.join(f'{ymir_task.root}/in/assets/{number}.jpg (i.tsv:{number + 11})' for number in range(5))
    assert str(caught.value) == f'/in/i.tsv lists 100000 files ({five}, ...) {LOST}'


@pytest.mark.parametrize(
    'path',
    [
        '/etc/hostname',
        'relative.jpg',
        '',
        '{in}/../out/a.jpg',
        '{in}/assets/../../../etc/hostname',
        '{in}',  # the folder itself
        '{in}side/a.jpg',  # begins like the folder
    ],
)
def test_a_listed_file_lies_outside_of_the_input_folders(ymir_task: TaskFolder, folders, path):
    ymir_task.write('out/a.jpg', '')
    ymir_task.write('inside/a.jpg', '')
    with pytest.raises(DatasetError) as caught:
        listed(ymir_task, '{in}/assets/a.jpg', path)
    inside, named = ymir_task.root / 'in', path.format(**{'in': ymir_task.root / 'in'})
    assert str(caught.value) == (
        f'/in/i.tsv lists 1 file ({named} (i.tsv:12)) outside of the input folders {inside}, {inside}/assets, '
        f'{inside}/annotations: export the dataset again'
    )


def test_outside_counts_before_missing(ymir_task: TaskFolder):
    with pytest.raises(DatasetError, match=r'lists 2 files \(/a \(i.tsv:12\), /b \(i.tsv:13\)\) outside'):
        listed(ymir_task, '{in}/assets/missing.jpg', '/a', '/b')


def test_input_folders_and_listed_files_may_be_links(ymir_task: TaskFolder, tmp_path):
    """The platform of some sites links assets from a store; what a path says counts, not where it leads."""
    ymir_task.write('store/a.jpg', '')
    (ymir_task.root / 'in/assets').rmdir()
    (ymir_task.root / 'in/assets').symlink_to(ymir_task.root / 'store')
    (ymir_task.root / 'in/linked.jpg').symlink_to(ymir_task.root / 'store/a.jpg')
    listed(ymir_task, '{in}/assets/a.jpg', '{in}/linked.jpg', '{root}/store/a.jpg')
