from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from demo.task_folder import env_values, write_env
from executor.contract.env import Env, InputPaths, OutputPaths, env_file, read_env
from executor.contract.errors import ConfigError
from tests.support.task_folder import TaskFolder, line_of

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


@pytest.mark.parametrize(
    'option, environ, expected',
    [
        (None, {}, '/in/env.yaml'),
        (None, {'DEFAULT_ENV_FILE_PATH': ''}, '/in/env.yaml'),
        (None, {'DEFAULT_ENV_FILE_PATH': '/a/env.yaml'}, '/a/env.yaml'),
        ('', {'DEFAULT_ENV_FILE_PATH': '/a/env.yaml'}, '/a/env.yaml'),
        ('/b/env.yaml', {'DEFAULT_ENV_FILE_PATH': '/a/env.yaml'}, '/b/env.yaml'),
        ('/b/env.yaml', {}, '/b/env.yaml'),
    ],
)
def test_where_env_yaml_lies(option, environ, expected):
    assert env_file(option, environ) == Path(expected)


def test_the_variable_is_read_when_asked_not_at_import(monkeypatch):
    monkeypatch.setenv('DEFAULT_ENV_FILE_PATH', '/elsewhere/env.yaml')
    assert env_file(None) == Path('/elsewhere/env.yaml')


def test_text_of_the_platform(tmp_path):
    (tmp_path / 'env.yaml').write_text(PLATFORM_TEXT)
    assert read_env(tmp_path / 'env.yaml') == Env(
        task_id='train-1',
        protocol=(1, 1),
        run_training=True,
        run_mining=False,
        run_infer=False,
        input=InputPaths(
            root_dir=Path('/in'),
            assets_dir=Path('/in/assets'),
            annotations_dir=Path('/in/annotations'),
            models_dir=Path('/in/models'),
            config_file=Path('/in/config.yaml'),
            training_index_file=Path('/in/train-index.tsv'),
            val_index_file=Path('/in/val-index.tsv'),
            candidate_index_file=None,
        ),
        output=OutputPaths(
            root_dir=Path('/out'),
            models_dir=Path('/out/models'),
            tensorboard_dir=Path('/out/tensorboard'),
            training_result_file=Path('/out/models/result.yaml'),
            mining_result_file=Path('/out/result.tsv'),
            infer_result_file=Path('/out/infer-result.json'),
            monitor_file=Path('/out/monitor.txt'),
        ),
    )


@pytest.mark.parametrize(
    'section, key',
    [
        ('input', 'root_dir'),
        ('input', 'assets_dir'),
        ('input', 'annotations_dir'),
        ('input', 'models_dir'),
        ('input', 'config_file'),
        ('input', 'training_index_file'),
        ('input', 'val_index_file'),
        ('input', 'candidate_index_file'),
        ('output', 'root_dir'),
        ('output', 'models_dir'),
        ('output', 'tensorboard_dir'),
        ('output', 'training_result_file'),
        ('output', 'mining_result_file'),
        ('output', 'infer_result_file'),
        ('output', 'monitor_file'),
    ],
)
def test_each_path_is_read_and_not_derived_from_another(ymir_task: TaskFolder, section, key):
    values = env_values(ymir_task.root)
    values[section][key] = '/some where/else'
    env = read_env(ymir_task.write('in/env.yaml', yaml.safe_dump(values)))
    found = {(name, k): v for name in ('input', 'output') for k, v in vars(getattr(env, name)).items()}
    assert [place for place, value in found.items() if value == Path('/some where/else')] == [(section, key)]


@pytest.mark.parametrize('absent', ['', None, 'no key'])
@pytest.mark.parametrize('key', ['training_index_file', 'val_index_file', 'candidate_index_file'])
def test_an_unused_index_is_none(ymir_task: TaskFolder, key, absent):
    values = env_values(ymir_task.root, training=True)
    values['input'][key] = absent
    if absent == 'no key':
        del values['input'][key]
    env = read_env(ymir_task.write('in/env.yaml', yaml.safe_dump(values)))
    assert getattr(env.input, key) is None


@pytest.mark.parametrize(
    'line, protocol',
    [
        ('', (0, 0)),
        ('protocol_version:', (0, 0)),
        ("protocol_version: ''", (0, 0)),
        ("protocol_version: '0.0'", (0, 0)),
        ('protocol_version: 1', (1, 0)),
        ('protocol_version: 1.0', (1, 0)),
        ("protocol_version: '1.0'", (1, 0)),
        ('protocol_version: 1.0.0', (1, 0)),
        ('protocol_version: 1.1', (1, 1)),
        ('protocol_version: 1.1.0', (1, 1)),
        ("protocol_version: '1.10'", (1, 10)),
        ('protocol_version: 2.0.1', (2, 0)),
    ],
)
def test_protocol_version(ymir_task: TaskFolder, line, protocol):
    path = write_env(ymir_task.root, protocol=None)
    path.write_text(f'{path.read_text()}{line}\n')
    assert read_env(path).protocol == protocol


@pytest.mark.parametrize('value', ['v1.1', '1.x', "'1.'", "'.1'", '-1.0', '1,1', 'true', '[1, 1]'])
def test_a_protocol_version_that_is_none(ymir_task: TaskFolder, value):
    path = write_env(ymir_task.root, protocol=None)
    path.write_text(f'{path.read_text()}protocol_version: {value}\n')
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    place = f'{path}:{line_of(path, "protocol_version")}: '
    assert str(caught.value).startswith(place)
    assert 'such as 1.1.0' in str(caught.value)
    assert f'found {yaml.safe_load(value)!r}' in str(caught.value)
    assert caught.value.code == 300001


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
    path = _env_with_flags(ymir_task, lines)
    env = read_env(path)
    assert (env.run_training, env.run_mining, env.run_infer) == expected


@pytest.mark.parametrize(
    'lines, place, parts',
    [
        ('', None, ['none of run_training, run_mining and run_infer is true']),
        ('run_mining: false', None, ['none of run_training, run_mining and run_infer is true']),
        ('run_training: true\nrun_mining: true', 'run_training', ['cannot be combined']),
        ('run_infer: true\nrun_training: true', 'run_training', ['cannot be combined']),
        ('run_training: maybe', 'run_training', ['run_training must be true or false', "found 'maybe'"]),
    ],
)
def test_bad_run_flags(ymir_task: TaskFolder, lines, place, parts):
    path = _env_with_flags(ymir_task, lines)
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    message = str(caught.value)
    assert message.startswith(f'{path}:{line_of(path, place)}: ' if place else f'{path}: ')
    assert [part for part in parts if part not in message] == []


def _env_with_flags(ymir_task: TaskFolder, lines: str) -> Path:
    values = env_values(ymir_task.root)
    for flag in ('run_training', 'run_mining', 'run_infer'):
        del values[flag]
    return ymir_task.write('in/env.yaml', yaml.safe_dump(values) + lines + '\n')


@pytest.mark.parametrize('value', ['no key', None, '', 7, ['/a'], {'a': '/b'}, True, '/in/\0'])
@pytest.mark.parametrize(
    'key, usual',
    [
        ('input.root_dir', '/in'),
        ('input.assets_dir', '/in/assets'),
        ('input.annotations_dir', '/in/annotations'),
        ('input.models_dir', '/in/models'),
        ('input.config_file', '/in/config.yaml'),
        ('output.root_dir', '/out'),
        ('output.models_dir', '/out/models'),
        ('output.tensorboard_dir', '/out/tensorboard'),
        ('output.training_result_file', '/out/models/result.yaml'),
        ('output.mining_result_file', '/out/result.tsv'),
        ('output.infer_result_file', '/out/infer-result.json'),
        ('output.monitor_file', '/out/monitor.txt'),
    ],
)
def test_a_path_that_is_missing_or_none(ymir_task: TaskFolder, key, usual, value):
    section, _, name = key.partition('.')
    values = env_values(ymir_task.root)
    del values[section][name]
    text = yaml.safe_dump(values)
    path = ymir_task.write('in/env.yaml', text)
    place = str(path)
    if value != 'no key':
        values[section][name] = value
        text = yaml.safe_dump(values)
        path = ymir_task.write('in/env.yaml', text)
        place = f'{path}:{_line_in_section(text, section, name)}'
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    found = None if value == 'no key' else value
    assert str(caught.value) == f'{place}: {key} must be a path such as {usual}, found {found!r}'


def _line_in_section(text: str, section: str, name: str) -> int:
    lines = text.split('\n')
    start = lines.index(f'{section}:')
    return next(n for n, line in enumerate(lines, start=1) if n > start + 1 and line.startswith(f'  {name}:'))


@pytest.mark.parametrize('section', ['input', 'output'])
@pytest.mark.parametrize('value, found', [(None, 'None'), ('/in', "'/in'"), ([], '[]')])
def test_a_section_is_no_mapping(ymir_task: TaskFolder, section, value, found):
    path = ymir_task.write('in/env.yaml', yaml.safe_dump({**env_values(ymir_task.root), section: value}))
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    place = f'{path}:{line_of(path, section + ":")}'
    assert str(caught.value) == f'{place}: {section} must be a mapping of paths, found {found}'


@pytest.mark.parametrize(
    'line, task_id',
    [
        ('task_id: t0000001000000abcdef1663934682', 't0000001000000abcdef1663934682'),
        ('task_id: 1663934682', '1663934682'),
        (r'task_id: "a\tb\nc"', 'a b c'),  # a tab or a line break would tear monitor.txt's record apart
    ],
)
def test_task_id(ymir_task: TaskFolder, line, task_id):
    values = env_values(ymir_task.root)
    del values['task_id']
    assert read_env(ymir_task.write('in/env.yaml', f'{yaml.safe_dump(values)}{line}\n')).task_id == task_id


@pytest.mark.parametrize(
    'line, found', [('', 'None'), ('task_id:', 'None'), ("task_id: ' '", "' '"), ('task_id: []', '[]')]
)
def test_no_task_id(ymir_task: TaskFolder, line, found):
    values = env_values(ymir_task.root)
    del values['task_id']
    path = ymir_task.write('in/env.yaml', f'{yaml.safe_dump(values)}{line}\n')
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    place = f'{path}:{line_of(path, "task_id")}' if line else str(path)
    assert str(caught.value) == f'{place}: task_id must be a name, found {found}'


@pytest.mark.parametrize('value', [7, ['/a'], {'a': '/b'}, True, '/in/\0'])
def test_an_index_that_is_no_path(ymir_task: TaskFolder, value):
    values = env_values(ymir_task.root)
    values['input']['candidate_index_file'] = value
    path = ymir_task.write('in/env.yaml', yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    assert str(caught.value) == (
        f'{path}:{line_of(path, "candidate_index_file")}: input.candidate_index_file must be a path such as '
        f'/in/candidate-index.tsv, found {value!r}'
    )


@pytest.mark.parametrize('key', ['protocol_version', 'task_id'])
def test_a_long_value_is_shown_shortened(ymir_task: TaskFolder, key):
    values = {**env_values(ymir_task.root), key: [list(range(1000))] * 1000}
    path = ymir_task.write('in/env.yaml', yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    assert str(caught.value).startswith(f'{path}:{line_of(path, key)}: {key} must be ')
    assert len(str(caught.value)) < 500
