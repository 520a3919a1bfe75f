"""Files of equal content, and how few bytes are read to find them."""

from __future__ import annotations

import os

import pytest

from executor.survey import duplicates
from executor.survey.duplicates import equal_files
from executor.survey.survey import survey
from tests.unit.survey.sets import image_set


@pytest.fixture
def files(tmp_path):
    """Write files of these contents; returns their paths."""

    def write(*contents: bytes) -> list[str]:
        paths = [tmp_path / f'{n}.bin' for n in range(len(contents))]
        for path, content in zip(paths, contents):
            path.write_bytes(content)
        return list(map(str, paths))

    return write


LONG = os.urandom(3 * 2**20)
PLACES = (0, 3 * 2**19, -2)


def test_planted_ones_are_found(files):
    begins, middle, ends = (
        bytes([LONG[0] ^ 1]) + LONG[1:],
        LONG[: 2**20] + b'?' + LONG[2**20 + 1 :],
        LONG[:-1] + b'\0',
    )
    paths = files(LONG, b'a', begins, b'b', LONG, middle, b'a', ends + b'', b'a', b'', b'')
    found = equal_files(paths, seconds=60)
    assert (found.groups, found.not_compared) == ([[0, 4], [1, 6, 8], [9, 10]], 0)


def test_the_same_path_twice_is_equal(files):
    (path,) = files(b'a')
    assert equal_files([path, path], seconds=60).groups == [[0, 1]]


def test_only_files_of_equal_size_are_opened_and_only_pieces_of_those_that_differ(files, monkeypatch):
    first, second, third = (os.urandom(2**20) for _ in range(3))
    paths = files(first, second, third + b'longer', first)
    read = []

    def counting_open(path, *args, **kwargs):
        read.append(path)
        return open(path, *args, **kwargs)

    monkeypatch.setattr(duplicates, 'open', counting_open, raising=False)
    assert equal_files(paths, seconds=60).groups == [[0, 3]]
    assert sorted(read) == sorted([paths[0], paths[1], paths[3], paths[0], paths[3]])


def test_what_is_gone_or_takes_too_long_is_counted(files, tmp_path):
    paths = [*files(b'a', b'a'), str(tmp_path / 'gone')]
    found = equal_files(paths, seconds=60)
    assert (found.groups, found.not_compared) == ([[0, 1]], 1)
    assert (equal_files(paths, seconds=0).groups, equal_files(paths, seconds=0).not_compared) == ([], 3)


def test_copies_are_counted_within_a_set_and_between_both(files):
    """a thrice in training and twice in validation, b twice in validation, c in both."""
    paths = files(b'a', b'x', b'a', b'a', b'c', b'a', b'b', b'b', b'a', b'y', b'c')
    training, validation = paths[:5], paths[5:]
    sets = [image_set(*[[]] * len(part), paths=part) for part in (training, validation)]
    copies = survey(*sets, 1, seconds=60).copies
    assert (copies.training, copies.validation, copies.shared) == (2, 2, 3)
    assert [tuple(group) for group in copies.groups] == [
        ([paths[0], paths[2], paths[3]], [paths[5], paths[8]]),
        ([paths[4]], [paths[10]]),
        ([], [paths[6], paths[7]]),
    ]


def test_without_validation_only_training_counts(files):
    paths = files(b'a', b'a')
    copies = survey(image_set([], [], paths=paths), None, 1, seconds=60).copies
    assert (copies.training, copies.validation, copies.shared, len(copies.groups)) == (1, 0, 0, 1)
