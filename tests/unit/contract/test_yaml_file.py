from __future__ import annotations

import os
from pathlib import Path

import pytest

from executor.contract.errors import ConfigError
from executor.contract.yaml_file import read_yaml_mapping
from tests.support.refusal import refusal


@pytest.mark.parametrize(
    'text, line, part',
    [
        ('', 1, 'the file is empty'),
        ('# nothing\n', 1, 'the file is empty'),
        ('null\n', 1, 'found NoneType'),
        ('- task_id\n', 1, 'found list'),
        ('just words\n', 1, 'found str'),
        ('task_id: a\ninput: [1\noutput: 2\n', 3, 'not valid YAML'),
        ('task_id: a\n\n\tinput: b\n', 3, 'not valid YAML'),
        ('task_id: a\ninput: *nowhere\n', 2, 'nowhere'),
        ('task_id: a\n---\ntask_id: b\n', 2, 'not valid YAML'),
        ('task_id: !!python/object:os.system a\n', 1, 'not valid YAML'),
        ('task_id: 2020-99-99\n', None, 'month must be in 1..12'),
        *(
            (f'task_id: {value}\n', None, 'not valid YAML')
            for value in ('!!bool perhaps', '2024-01-01 1:00:00 +99:00', 'a\x00b')
        ),
        ('a: 1\nb: 2\na: 3\n', 3, "not valid YAML (the key 'a' is there already, in line 1)"),
        ('b: 1\ninput:\n  b: 1\n  c: 1\n  "b": 2\n', 5, "the key 'b' is there already, in line 3"),
        ('1: a\n1.0: b\n', 2, 'the key 1.0 is there already, in line 1'),
        ('a: &a {x: 1}\nb: {<<: *a, y: 2}\n', 2, 'merging by << is not allowed'),
        ('a: 1\nb: "c\\ud800"\n', 2, 'half of a surrogate pair'),
        ('a: ' + '[' * 100_000, None, 'not valid YAML (maximum recursion depth'),
    ],
)
def test_broken_yaml(tmp_path, text, line, part):
    path = tmp_path / 'env.yaml'
    path.write_text(text)
    told = refusal(ConfigError, read_yaml_mapping, path)
    assert told.startswith(f'{path}:{line}: ' if line else f'{path}: ')
    assert part in told
    assert '\n' not in told


def test_a_file_that_cannot_be_read(tmp_path):
    path = tmp_path / 'env.yaml'
    assert f'{path} cannot be read (No such file or directory)' in refusal(ConfigError, read_yaml_mapping, path)
    path.write_bytes(b'task_id: \xff\xfe')
    assert f'{path} is not UTF-8 text (byte 9)' in refusal(ConfigError, read_yaml_mapping, path)


def test_a_file_that_never_ends_is_not_read(tmp_path):
    path = tmp_path / 'env.yaml'
    os.mkfifo(path)
    assert f'{path} cannot be read (not a regular file)' in refusal(ConfigError, read_yaml_mapping, path)
    assert '/dev/zero cannot be read (not a regular file)' in refusal(ConfigError, read_yaml_mapping, Path('/dev/zero'))
    path.unlink()
    path.write_bytes(b'a: 1\n' + b'#' * 2**18)
    told = refusal(ConfigError, read_yaml_mapping, path)
    assert f'{path} cannot be read ({2**18 + 5} bytes, where {2**18} are the most)' in told


def test_merges_of_merges_do_not_grow(tmp_path):
    """Ten lines that would make ten thousand million keys."""
    path = tmp_path / 'env.yaml'
    merged = ''.join(f'm{n}: &m{n} {{<<: [{", ".join([f"*m{n - 1}"] * 10)}]}}\n' for n in range(1, 11))
    path.write_text('m0: &m0 {a: 1}\n' + merged)
    assert f'{path}:2: not valid YAML' in refusal(ConfigError, read_yaml_mapping, path)


@pytest.mark.parametrize('text', ['0', '-3', '16', '1.5', '-0.25', '10000000000'])
def test_a_number_that_reads_as_it_is_written(tmp_path, text):
    (tmp_path / 'a.yaml').write_text(f'a: {text}\nb: "{text}"\n')
    values = read_yaml_mapping(tmp_path / 'a.yaml').values
    assert type(values['a']) in (int, float)
    assert values == {'a': float(text), 'b': text}


@pytest.mark.parametrize('text', ['010', '1:30', '1.10', '0x1F', '1_000', '+1', '.nan', '-.inf', '1.0e+3', '9' * 5000])
def test_a_number_that_would_read_otherwise_stays_text(tmp_path, text):
    (tmp_path / 'a.yaml').write_text(f'a: {text}\n')
    assert read_yaml_mapping(tmp_path / 'a.yaml').values == {'a': text}


def test_lines_of_keys(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text('# one\nkey: 1\nsection:\n  # four\n  key: 2\n  deep:\n    key: 3\n1: number\n')
    source = read_yaml_mapping(path)
    assert source.values == {'key': 1, 'section': {'key': 2, 'deep': {'key': 3}}, 1: 'number'}
    places = [source.where(key) for key in ('key', 'section', 'section.key', 'section.deep', 'nowhere')]
    assert places == [f'{path}:2', f'{path}:3', f'{path}:5', f'{path}:6', str(path)]


@pytest.mark.parametrize(
    'text, values',
    [
        ('a: &a 1\nb: *a\n', {'a': 1, 'b': 1}),
        ('a: &a {x: 1}\nb: {<: *a, y: 2}\n', {'a': {'x': 1}, 'b': {'<': {'x': 1}, 'y': 2}}),
        ('a: &a [1, 2]\nb: [*a, *a]\n', {'a': [1, 2], 'b': [[1, 2], [1, 2]]}),
    ],
)
def test_aliases_are_what_they_stand_for(tmp_path, text, values):
    (tmp_path / 'a.yaml').write_text(text)
    assert read_yaml_mapping(tmp_path / 'a.yaml').values == values
