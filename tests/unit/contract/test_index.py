from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest

from executor.contract.errors import DatasetError
from executor.contract.index import CandidateIndex, IndexLine, read_candidate_index, read_training_index
from tests.support.peak_memory import peak_memory
from tests.support.refusal import refusal

# --- both kinds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('read', [read_training_index, read_candidate_index])
@pytest.mark.parametrize('text', ['', '\n \n\t\n', '\r\n'])
def test_no_image(tmp_path, read, text):
    path = tmp_path / 'i.tsv'
    path.write_bytes(text.encode())
    assert refusal(DatasetError, read, path) == f'{path} lists no image: choose a dataset that has some'


@pytest.mark.parametrize('read', [read_training_index, read_candidate_index])
@pytest.mark.parametrize('name, reason', [('i.tsv', 'No such file or directory'), ('', 'Is a directory')])
def test_no_index_file(tmp_path, read, name, reason):
    told = refusal(DatasetError, read, tmp_path / name)
    assert told == f'index file {tmp_path / name} cannot be read ({reason}): export the dataset again'


@pytest.mark.parametrize('read', [read_training_index, read_candidate_index])
def test_an_index_that_never_ends_is_not_read(tmp_path, read):
    os.mkfifo(tmp_path / 'pipe')
    with (tmp_path / 'large').open('wb') as stream:
        stream.truncate(2**40)
    for name, why in (('pipe', 'not a regular file'), ('large', f'{2**40} bytes, where {2**30} are the most')):
        told = refusal(DatasetError, read, tmp_path / name)
        assert told == f'index file {tmp_path}/{name} cannot be read ({why}): export the dataset again'


@pytest.mark.parametrize('read', [read_training_index, read_candidate_index])
@pytest.mark.parametrize(
    'data, byte',
    [
        (b'/in/\xe9.jpg\t/in/a.txt\n', 4),
        (b'/in/a.jpg\n\n/in/\xe9.jpg\n', 15),
        (b'/in/a.jpg\t\xff\n', 10),  # also in a column that does not count
        ('/in/ü.jpg\n'.encode() + b'\xc3', 11),
        (b'/in/\xed\xa0\xbd.jpg\n', 4),  # a surrogate
    ],
)
def test_bytes_that_are_no_text(tmp_path, read, data, byte):
    (tmp_path / 'i.tsv').write_bytes(data)
    message = f'index file {tmp_path}/i.tsv is not UTF-8 text (byte {byte}): export the dataset again'
    assert refusal(DatasetError, read, tmp_path / 'i.tsv') == message


# --- training -------------------------------------------------------------------------------------------------------


SHA1 = '/in/assets/0a/da39a3ee5e6b4b0d3255bfef95601890afd8070a'  # as the platform names files


@pytest.mark.parametrize(
    'text, expected',
    [
        *((f'/in/a\t/in/a.txt{end}', [('/in/a', '/in/a.txt', 1)]) for end in ('', '\n', '\r\n\r\n', '\tmore\n')),
        (' /in/a.jpg \t /in/a.txt \n', [('/in/a.jpg', '/in/a.txt', 1)]),
        ('\n  \n/in/a.jpg\t/in/a.txt\n\n/b c\t/d e\n\n', [('/in/a.jpg', '/in/a.txt', 3), ('/b c', '/d e', 5)]),
        (f'{SHA1}\t{SHA1}.txt\n', [(SHA1, f'{SHA1}.txt', 1)]),
        ('/in/line\u2028end\t/in/a\n/in/b\t/in/c\n', [('/in/line\u2028end', '/in/a', 1), ('/in/b', '/in/c', 2)]),
    ],
)
def test_a_line_an_image(tmp_path, text, expected):
    path = tmp_path / 'i.tsv'
    path.write_bytes(text.encode())
    lines = [IndexLine(Path(image), Path(annotation), f'{path}:{line}') for image, annotation, line in expected]
    assert read_training_index(path) == tuple(lines)


@pytest.mark.parametrize('line', ['/in/a.jpg', '/in/a.jpg /in/a.txt', '/in/a.jpg\t', '\t/in/a.txt'])
def test_a_line_without_two_columns(tmp_path, line):
    path = tmp_path / 'i.tsv'
    path.write_text(f'/in/a.jpg\t/in/a.txt\n\n{line}\n')
    told = refusal(DatasetError, read_training_index, path)
    assert told == f'{path}:3: expected <image><tab><annotation>, found {line!r}: export the dataset again'


# --- candidates -----------------------------------------------------------------------------------------------------


def candidates(path: Path, text: str) -> CandidateIndex:
    path.write_bytes(text.encode())
    return read_candidate_index(path)


@pytest.mark.parametrize(
    'text, expected',
    [
        *((f'/in/a.jpg{end}', [('/in/a.jpg', 1)]) for end in ('', '\n', '\r\n')),
        ('/in/a.jpg\r\n\r\n/in/b.jpg\r\n', [('/in/a.jpg', 1), ('/in/b.jpg', 3)]),
        ('/in/a.jpg\t\n/in/b.jpg\tmore\tand more\r\n', [('/in/a.jpg', 1), ('/in/b.jpg', 2)]),
        ('\n \t \n/in/a\n\n\n/in/b\n/in/c\n\n/in/d\n\n', [('/in/a', 3), ('/in/b', 6), ('/in/c', 7), ('/in/d', 9)]),
        # Exactly as in the index: blanks belong to the path, also at its ends.
        ('/in/with blank.jpg\n /in/b.jpg \n', [('/in/with blank.jpg', 1), (' /in/b.jpg ', 2)]),
        ('/in/Größe-日本\n/in/😀.jpg\tü\n/in/a.jpg', [('/in/Größe-日本', 1), ('/in/😀.jpg', 2), ('/in/a.jpg', 3)]),
        ('/in/line\u2028separator\x0b\x85.jpg\nb', [('/in/line\u2028separator\x0b\x85.jpg', 1), ('b', 2)]),
        ('/in/a.jpg\n/in/a.jpg\n', [('/in/a.jpg', 1), ('/in/a.jpg', 2)]),
    ],
)
def test_candidates(tmp_path, text, expected):
    index = candidates(tmp_path / 'i.tsv', text)
    assert len(index) == len(expected)
    assert list(index) == [image for image, _ in expected]
    assert [index.place(i) for i in range(len(index))] == [f'{tmp_path}/i.tsv:{line}' for _, line in expected]


def test_positions_as_of_a_list(tmp_path):
    index = candidates(tmp_path / 'i.tsv', 'a\nb\nc\n')
    (tmp_path / 'i.tsv').unlink()
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
    other = duplicate(candidates(tmp_path / 'i.tsv', 'a\n\nb\n'))
    assert list(other) == ['a', 'b']
    assert other.place(1) == f'{tmp_path}/i.tsv:3'


@pytest.mark.parametrize('line', ['\t/in/b.jpg', ' \t/in/b.jpg'])
def test_a_line_without_a_candidate(tmp_path, line):
    told = refusal(DatasetError, candidates, tmp_path / 'i.tsv', f'/in/a.jpg\n\n{line}\r\n')
    assert told == f'{tmp_path}/i.tsv:3: expected <image>, found {line!r}: export the dataset again'


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
    assert 59 < peaks[1] - peaks[0] < 90  # MB; the text is 59, where its paths lie 16
