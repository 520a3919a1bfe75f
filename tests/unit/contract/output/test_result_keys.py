from __future__ import annotations

import random

import pytest

from executor.contract.output import result_keys
from executor.contract.output.result_keys import ResultKeys
from tests.support.peak_memory import peak_memory

# Paths, their keys, how many lack their base name, which is the first, how many have no key.
CASES = [
    ([], [], 0, None, 0),
    (['/in/a.jpg'], ['a.jpg'], 0, None, 0),
    (['/in/a.jpg', '/in/b.jpg', '/in/a'], ['a.jpg', 'b.jpg', 'a'], 0, None, 0),
    (['A/x.jpg', 'B/x.jpg'], ['x.jpg', 'B/x.jpg'], 1, 1, 0),
    (['A/x.jpg'] * 3, ['x.jpg', None, None], 2, 1, 2),
    (['A/x.jpg', 'B/x.jpg', 'A/x.jpg', 'B/x.jpg'], ['x.jpg', 'B/x.jpg', None, None], 3, 1, 2),
    (['A/x.jpg', 'B/y.jpg', 'B/x.jpg', 'C/x.jpg'], ['x.jpg', 'y.jpg', 'B/x.jpg', 'C/x.jpg'], 2, 2, 0),
    # The same file by another spelling is another path.
    (['A/x.jpg', 'A//x.jpg', 'A/./x.jpg'], ['x.jpg', 'A//x.jpg', 'A/./x.jpg'], 2, 1, 0),
    (['A/x.jpg', 'A/X.jpg', 'A/x.jpg '], ['x.jpg', 'X.jpg', 'x.jpg '], 0, None, 0),
    # A path without a folder is its base name, so where that is taken, no key is left.
    (['x.jpg', 'x.jpg'], ['x.jpg', None], 1, 1, 1),
    (['A/x.jpg', 'x.jpg', 'B/x.jpg'], ['x.jpg', None, 'B/x.jpg'], 2, 1, 1),
    (['x.jpg', 'A/x.jpg'], ['x.jpg', 'A/x.jpg'], 1, 1, 0),
    (['x.jpg', './x.jpg', '/x.jpg'], ['x.jpg', './x.jpg', '/x.jpg'], 2, 1, 0),
    # No base name at all.
    (['A/', 'A/', '/', 'A'], ['A/', None, '/', 'A'], 1, 1, 1),
    (['/in/Größe.jpg', '/in/b/Größe.jpg', '/in/😀 1.jpg'], ['Größe.jpg', '/in/b/Größe.jpg', '😀 1.jpg'], 1, 1, 0),
]


@pytest.mark.parametrize('all_collide', [False, True])
@pytest.mark.parametrize('paths, expected, repeated, first_repeated, without_key', CASES)
def test_keys(monkeypatch, paths, expected, repeated, first_repeated, without_key, all_collide):
    if all_collide:
        monkeypatch.setattr(result_keys, 'hash', lambda key: -1, raising=False)
    keys = ResultKeys(paths)
    assert [keys.key(position) for position in range(len(keys))] == expected
    assert (keys.repeated, keys.first_repeated, keys.without_key) == (repeated, first_repeated, without_key)


def expected_keys(paths: list[str]) -> list[str | None]:
    taken: set[str] = set()
    keys = []
    for path in paths:
        free = [key for key in (path.split('/')[-1], path) if key not in taken]
        key = None if path in paths[: len(keys)] or not free else free[0]
        taken.add(key)
        keys.append(key)
    return keys


@pytest.mark.parametrize('hashes', [1, 3, 1 << 33, 1 << 64])
@pytest.mark.parametrize('count', [1, 2, 3, 4, 7, 8, 100])
def test_keys_of_random_paths(monkeypatch, hashes, count):
    real = {}
    monkeypatch.setattr(
        result_keys, 'hash', lambda key: real.setdefault(key, rng.randrange(hashes) - (1 << 32)), raising=False
    )
    for seed in range(20):
        rng = random.Random(seed)
        paths = [rng.choice(['', 'A/', 'B/', 'A/B/']) + f'{rng.randrange(count)}.jpg' for _ in range(count)]
        keys = ResultKeys(paths)
        found = [keys.key(position) for position in range(count)]
        assert found == expected_keys(paths)
        assert keys.without_key == found.count(None)
        assert keys.repeated == sum(key != path.split('/')[-1] for key, path in zip(found, paths))


FIND_KEYS = """
import sys
from pathlib import Path
from executor.contract.index import read_candidate_index
from executor.contract.output.result_keys import ResultKeys
keys = ResultKeys(read_candidate_index(Path(sys.argv[1])))
assert (len(keys), keys.repeated, keys.without_key) == tuple(map(int, sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    'line, repeated, without_key',
    [
        ('/in/assets/{i:040x}.jpg\n', 0, 0),
        ('/in/assets/{i:08d}/a.jpg\n', 999_999, 0),
        ('/in/assets/a.jpg\n', 999_999, 999_999),
    ],
)
def test_the_keys_of_a_million_take_little_memory(tmp_path, line, repeated, without_key):
    (tmp_path / 'few.tsv').write_text(''.join(f'/in/{i}.jpg\n' for i in range(1000)))
    with (tmp_path / 'many.tsv').open('w') as stream:
        stream.writelines(line.format(i=i) for i in range(1_000_000))
    few = peak_memory(FIND_KEYS, tmp_path / 'few.tsv', 1000, 0, 0)
    many = peak_memory(FIND_KEYS, tmp_path / 'many.tsv', 1_000_000, repeated, without_key)
    assert 20 < many - few < 45  # MB, the 12 of the index among them
