from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
import yaml

from desk.task_folder import env_values
from executor.contract.env import Env, InputPaths, OutputPaths, env_file, read_env
from executor.contract.errors import ConfigError
from executor.contract.shown import shown
from tests.support.refusal import refusal
from tests.support.task_folder import TaskFolder

# As release 2.5.0 of the platform writes it, and two keys of a release to come.
PLATFORM_TEXT = """\
input:
  annotations_dir: /in/annotations
  assets_dir: /in/assets
  candidate_index_file: ''
  config_file: /in/config.yaml
  models_dir: /in/models
  root_dir: /in
  training_index_file: /in/train-index.tsv
  val_index_file: /in/val-index.tsv
  prompts_dir: /in/prompts
manifest_file: /img-man/manifest.yaml
output:
  executor_log_file: /out/ymir-executor-out.log
  infer_result_file: /out/infer-result.json
  mining_result_file: /out/result.tsv
  models_dir: /out/models
  monitor_file: /out/monitor.txt
  root_dir: /out
  tensorboard_dir: /out/tensorboard
  training_result_file: /out/models/result.yaml
protocol_version: 1.1.0
run_infer: false
run_mining: false
run_training: true
run_verifying: true
task_id: train-1
"""
PLATFORM = yaml.safe_load(PLATFORM_TEXT)
del PLATFORM['input']['prompts_dir'], PLATFORM['output']['executor_log_file']  # which we do not read
USUAL = {f'{section}.{name}': path for section in ('input', 'output') for name, path in PLATFORM[section].items()}
USUAL['input.candidate_index_file'] = '/in/candidate-index.tsv'


@pytest.mark.parametrize(
    'option, variable, expected',
    [
        (None, None, '/in/env.yaml'),
        (None, '', '/in/env.yaml'),
        (None, '/a/env.yaml', '/a/env.yaml'),
        ('', '/a/env.yaml', '/a/env.yaml'),
        ('/b/env.yaml', '/a/env.yaml', '/b/env.yaml'),
        ('/b/env.yaml', None, '/b/env.yaml'),
    ],
)
def test_where_env_yaml_lies(monkeypatch, option, variable, expected):
    monkeypatch.delenv('DEFAULT_ENV_FILE_PATH', raising=False)
    if variable is not None:
        monkeypatch.setenv('DEFAULT_ENV_FILE_PATH', variable)
    assert env_file(option) == Path(expected)


def test_text_of_the_platform(tmp_path):
    (tmp_path / 'env.yaml').write_text(PLATFORM_TEXT)
    inputs = {name: Path(path) if path else None for name, path in PLATFORM['input'].items()}
    outputs = {name: Path(path) for name, path in PLATFORM['output'].items()}
    assert read_env(tmp_path / 'env.yaml') == Env(
        task_id='train-1',
        protocol=(1, 1),
        run_training=True,
        run_mining=False,
        run_infer=False,
        input=InputPaths(**inputs),
        output=OutputPaths(**outputs),
    )


ABSENT = object()


def write_changed(task: TaskFolder, changes: Mapping[str, object], more: str = '') -> Path:
    """Write env.yaml with other values of some keys, `section.name` for nested ones, and with lines at its end."""
    values = env_values(task.root, protocol=None)
    for key, value in changes.items():
        section, _, name = key.rpartition('.')
        mapping = values[section] if section else values
        mapping[name] = value
        if value is ABSENT:
            del mapping[name]
    return task.write('in/env.yaml', f'{yaml.safe_dump(values)}{more}\n')


def place_of(path: Path, key: str) -> str:
    """`file:line` of a key."""
    section, _, name = key.rpartition('.')
    lines = path.read_text().split('\n')
    start = lines.index(f'{section}:') + 1 if section else 0
    (line, *_) = (n for n, text in enumerate(lines[start:], start + 1) if text.strip().startswith(f'{name}:'))
    return f'{path}:{line}'


@pytest.mark.parametrize('key', USUAL)
def test_each_path_is_read_and_not_derived_from_another(ymir_task: TaskFolder, key):
    env = read_env(write_changed(ymir_task, {key: '/some where/else'}))
    found = {f'{section}.{k}': v for section in ('input', 'output') for k, v in vars(getattr(env, section)).items()}
    assert [name for name, path in found.items() if path == Path('/some where/else')] == [key]


@pytest.mark.parametrize('absent', ['', None, ABSENT])
@pytest.mark.parametrize('key', ['training_index_file', 'val_index_file', 'candidate_index_file'])
def test_an_unused_index_is_none(ymir_task: TaskFolder, key, absent):
    env = read_env(write_changed(ymir_task, {f'input.{key}': absent}))
    assert getattr(env.input, key) is None


@pytest.mark.parametrize(
    'texts, protocol',
    [
        (['', 'protocol_version:', "protocol_version: ''", "protocol_version: '0.0'"], (0, 0)),
        (['protocol_version: 1', 'protocol_version: 1.0', "protocol_version: '1.0'"], (1, 0)),
        (['protocol_version: 1.0.0'], (1, 0)),
        (['protocol_version: 1.1', 'protocol_version: 1.1.0'], (1, 1)),
        (['protocol_version: 1.10', "protocol_version: '1.10'"], (1, 10)),
        (['protocol_version: 2.0.1'], (2, 0)),
    ],
)
def test_protocol_version(ymir_task: TaskFolder, texts, protocol):
    assert [read_env(write_changed(ymir_task, {}, text)).protocol for text in texts] == [protocol] * len(texts)


FLAGS = dict.fromkeys(('run_training', 'run_mining', 'run_infer'), ABSENT)


@pytest.mark.parametrize(
    'lines, expected',
    [
        ('run_training: true', (True, False, False)),
        ("run_training: 'True'", (True, False, False)),
        ('run_mining: true', (False, True, False)),
        ('run_infer: true', (False, False, True)),
        ('run_mining: true\nrun_infer: true', (False, True, True)),
        ('run_training: null\nrun_infer: true', (False, False, True)),
    ],
)
def test_run_flags(ymir_task: TaskFolder, lines, expected):
    env = read_env(write_changed(ymir_task, FLAGS, lines))
    assert (env.run_training, env.run_mining, env.run_infer) == expected


NO_TASK = 'none of run_training, run_mining and run_infer is true: '
TWO_TASKS = 'training cannot be combined with mining or inference'


@pytest.mark.parametrize(
    'lines, key, words',
    [
        ('', None, NO_TASK),
        ('run_mining: false', None, NO_TASK),
        ('run_training: true\nrun_mining: true', 'run_training', TWO_TASKS),
        ('run_infer: true\nrun_training: true', 'run_training', TWO_TASKS),
    ],
)
def test_bad_run_flags(ymir_task: TaskFolder, lines, key, words):
    path = write_changed(ymir_task, FLAGS, lines)
    assert refusal(ConfigError, read_env, path).startswith(f'{place_of(path, key) if key else path}: {words}')


@pytest.mark.parametrize(
    'key, wanted, values',
    [
        *(
            (key, f'a path such as {usual}', [7, ['/a'], {'a': '/b'}, True, '/in/\0', [], 0, '/x' * 2049])
            for key, usual in USUAL.items()
        ),
        *((key, f'a path such as {usual}', [ABSENT, None, '']) for key, usual in USUAL.items() if 'index' not in key),
        *((section, 'a mapping of paths', [None, '/in', []]) for section in ('input', 'output')),
        ('task_id', 'a name', [ABSENT, None, ' ', [], date(2024, 1, 1), {'a'}]),
        ('task_id', 'a name of at most 200 characters', ['x' * 201, 'x' * 200_000]),
        (
            'protocol_version',
            'a version such as 1.1.0',
            ['9' * 5000, '1.²', date(2024, 1, 1), 'v1.1', '1.x', '1.', '.1', -1.0, '1,1', True, [1, 1]],
        ),
        ('run_training', 'true or false', ['maybe']),
    ],
)
def test_values_that_cannot_be(ymir_task: TaskFolder, key, wanted, values):
    for value in values:
        path = write_changed(ymir_task, {key: value})
        place, found = (path, None) if value is ABSENT else (place_of(path, key), value)
        assert refusal(ConfigError, read_env, path) == f'{place}: {key} must be {wanted}, found {shown(found)}'


@pytest.mark.parametrize(
    'line, task_id',
    [
        ('task_id: t0000001000000abcdef1663934682', 't0000001000000abcdef1663934682'),
        ('task_id: 1663934682', '1663934682'),
        (r'task_id: "a\tb\nc"', 'a b c'),  # a tab or a line break would tear monitor.txt's record apart
    ],
)
def test_task_id(ymir_task: TaskFolder, line, task_id):
    assert read_env(write_changed(ymir_task, {'task_id': ABSENT}, line)).task_id == task_id


@pytest.mark.parametrize('key', ['protocol_version', 'task_id'])
def test_a_long_value_is_shown_shortened(ymir_task: TaskFolder, key):
    path = write_changed(ymir_task, {key: [list(range(1000))] * 1000})
    message = refusal(ConfigError, read_env, path)
    assert message.startswith(f'{place_of(path, key)}: {key} must be ')
    assert len(message) < 500
