from __future__ import annotations

import dataclasses
import logging
from datetime import date
from pathlib import Path

import pytest
import yaml

from demo.task_folder import add_model_file
from executor.contract.config_yaml import read_job
from executor.contract.errors import ConfigError, ModelError
from executor.contract.options import TrainArgs
from executor.contract.params import InferParams, MiningParams, TrainParams
from mining.catalog import ALGORITHMS
from tests.support.refusal import refusal
from tests.support.task_folder import TaskFolder, line_of

RESERVED = {'class_names': ('cat', 'dog'), 'gpu_ids': (), 'model_files': ()}
# Written down by hand: what the predecessor's users know.
TRAIN_DEFAULTS = TrainParams(
    **RESERVED,
    shm_size='128G',
    export_format='ark:raw',
    samples_per_gpu=16,
    workers_per_gpu=4,
    max_epochs=100,
    config_file='configs/yolox/yolox_tiny_8x8_300e_coco.py',
    args_options=TrainArgs(
        amp=False, auto_scale_lr=False, resume=None, seed=None, deterministic=False, no_validate=False, cfg_options={}
    ),
    cfg_options={},
    metric='bbox',
    val_interval=1,
    max_keep_checkpoints=1,
    ymir_saved_file_patterns=(),
)
INFER_DEFAULTS = InferParams(**RESERVED, shm_size='128G', conf_threshold=0.2, cfg_options={})
MINING_DEFAULTS = MiningParams(
    **RESERVED, shm_size='128G', mining_algorithm='aldd', class_distribution_scores=(), cfg_options={}
)
TASKS = [('training', TRAIN_DEFAULTS), ('mining', MINING_DEFAULTS), ('infer', INFER_DEFAULTS)]


def place_of(task: TaskFolder, key: str) -> str:
    """`file:line` of a key of config.yaml."""
    return f'{task.config_file}:{line_of(task.config_file, f"{key}:")}'


def template_keys(params) -> list[str]:
    """The fields a template has: all but those that the platform fills in, and where each key stands."""
    return [f.name for f in dataclasses.fields(params) if f.name not in (*RESERVED, 'places')]


@pytest.mark.parametrize('task, defaults', TASKS)
def test_missing_and_empty_keys_are_defaults(ymir_task: TaskFolder, task, defaults):
    of_the_platform = ('gpu_id', 'gpu_count', 'pretrained_model_params', 'model_params_path')
    keys = [*template_keys(defaults), *of_the_platform]
    for config in ({}, *(dict.fromkeys(keys, empty) for empty in (None, '', '  '))):
        job = ymir_task.job(task, **config)
        assert getattr(job, task) == defaults
        assert [name for name, _ in TASKS if getattr(job, name) is not None] == [task]
        assert job.env.task_id == 'task-1'


@pytest.mark.parametrize('task, defaults', TASKS)
def test_a_template_holds_the_defaults_and_explains_each_key(ymir_task: TaskFolder, repository: Path, task, defaults):
    template = (repository / f'{task}-template.yaml').read_text(encoding='utf-8')
    assert sorted(yaml.safe_load(template)) == sorted(template_keys(defaults))
    ymir_task.write('in/config.yaml', f'{template}\nclass_names: [cat, dog]\n')
    job = read_job(ymir_task.env(task))
    assert getattr(job, task) == defaults
    lines = template.splitlines()
    keys = [number for number, line in enumerate(lines) if not line.startswith('#')]
    assert len(keys) == len(template_keys(defaults))
    assert [lines[n] for n in keys if n == 0 or not lines[n - 1].startswith('# ')] == []


@pytest.mark.parametrize(
    'task, key, value, expected',
    [
        ('training', 'shm_size', '1G', '1G'),
        ('training', 'export_format', 'coco:raw', 'coco:raw'),
        ('training', 'samples_per_gpu', '8', 8),
        ('training', 'workers_per_gpu', '0', 0),
        ('training', 'max_epochs', ' 10 ', 10),
        ('training', 'config_file', ' my_config.py ', 'my_config.py'),
        ('training', 'args_options', '--amp --seed 3', TrainArgs(amp=True, seed=3)),
        ('training', 'cfg_options', 'a.b=1 c=[1, 2]', {'a.b': 1, 'c': [1, 2]}),
        ('training', 'val_interval', '-1', -1),
        ('training', 'max_keep_checkpoints', '-1', -1),
        ('training', 'ymir_saved_file_patterns', r'best.*\.pth,.*\.py', (r'best.*\.pth', r'.*\.py')),
        ('infer', 'conf_threshold', '0.35', 0.35),
        ('infer', 'cfg_options', 'model.test_cfg.nms.iou_threshold=0.5', {'model.test_cfg.nms.iou_threshold': 0.5}),
        *(('mining', 'mining_algorithm', name, name) for name in ALGORITHMS),
        ('mining', 'class_distribution_scores', '1.0,0.1', (1.0, 0.1)),
        ('mining', 'class_distribution_scores', '0,2', (0.0, 2.0)),
        *(('training', 'class_names', value, ('cat',)) for value in (['cat'], 'cat')),
        ('training', 'class_names', 'cat, guide dog', ('cat', 'guide dog')),
        ('training', 'class_names', ['dog', 'cat'], ('dog', 'cat')),
        ('training', 'class_names', [1, '2'], ('1', '2')),
        ('training', 'class_names', ['a,b', 'c'], ('a,b', 'c')),
    ],
)
def test_values_as_a_web_form_sends_them(ymir_task: TaskFolder, task, key, value, expected):
    job = ymir_task.job(task, **{key: value})
    defaults = dict(TASKS)[task]
    assert getattr(job, task) == dataclasses.replace(defaults, **{key: expected})


_WEIGHTS = "numbers from 0 to 1e+06 with commas between them, such as '1.0,0.5'"
_DETECTION = '2, detection of boxes (choose another image for anything else)'


@pytest.mark.parametrize(
    'task, key, value, allowed',
    [
        *((task, 'samples_per_gpu', 4097, 'a whole number of at least 1 and at most 4096') for task in dict(TASKS)),
        *((task, 'workers_per_gpu', 257, 'a whole number of at least 0 and at most 256') for task in dict(TASKS)),
        ('training', 'max_epochs', 100_001, 'a whole number of at least 1 and at most 100000'),
        ('training', 'val_interval', '-1e308', 'a whole number of at least -100000 and at most 100000'),
        ('training', 'max_keep_checkpoints', 10**6, 'a whole number of at least -100000 and at most 100000'),
        ('mining', 'seed', 2**32, 'a whole number of at least 0 and at most 4294967295'),
        ('infer', 'gpu_count', -1, 'a whole number of at least 0 and at most 1024'),
        *(('mining', 'class_distribution_scores', value, _WEIGHTS) for value in ('1e308', '1,-0.5', -1)),
        (
            *('mining', 'class_distribution_scores', '1,1,1'),
            'at most one number for each of the 2 classes (cat, dog), in this order',
        ),
        *((task, 'object_type', value, _DETECTION) for task in dict(TASKS) for value in (1, 3, '4', 'boxes')),
        *(('training', 'object_type', value, 'text') for value in ([2], True)),
    ],
)
def test_wrong_values(ymir_task: TaskFolder, task, key, value, allowed):
    message = refusal(ConfigError, ymir_task.job, task, **{key: value})
    assert message == f'{place_of(ymir_task, key)}: {key} must be {allowed}, found {value!r}'


@pytest.mark.parametrize('value', [2, '2', '', None])
def test_boxes_are_the_object_type(ymir_task: TaskFolder, value):
    assert ymir_task.job(object_type=value).training == TRAIN_DEFAULTS


def test_mining_and_inference_share_one_config(ymir_task: TaskFolder, caplog):
    weights = add_model_file(ymir_task.root, 'best/a.pth')
    both = {'cfg_options': 'a=1', 'gpu_id': '1', 'gpu_count': 1, 'model_params_path': [str(weights)]}
    job = ymir_task.job('mining', 'infer', conf_threshold='0.3', mining_algorithm='random', **both)
    shared = {'gpu_ids': (1,), 'model_files': (weights,), 'cfg_options': {'a': 1}}
    assert job.training is None
    assert job.mining == dataclasses.replace(MINING_DEFAULTS, mining_algorithm='random', **shared)
    assert job.infer == dataclasses.replace(INFER_DEFAULTS, conf_threshold=0.3, **shared)
    assert caplog.records == []


@pytest.mark.parametrize(
    'task, config, warned',
    [
        ('training', {}, []),
        ('training', {'pretrained_model_params': [], 'run_training': True, 'model_params_path': []}, []),
        ('training', {'lr': 1, 'samples_per_gpus': 2}, ['lr, samples_per_gpus']),
        ('training', {'conf_threshold': 0.5}, ['conf_threshold']),
        ('mining', {'conf_threshold': 0.5, 'max_epochs': 3}, ['conf_threshold, max_epochs']),
        ('infer', {'mining_algorithm': 'nothing'}, ['mining_algorithm']),
    ],
)
def test_one_warning_for_all_unknown_keys(ymir_task: TaskFolder, caplog, task, config, warned):
    ymir_task.job(task, **config)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * len(warned)
    wanted = [f'{ymir_task.config_file}: ignoring unknown keys: {keys}' for keys in warned]
    assert [record.getMessage() for record in caplog.records] == wanted


@pytest.mark.parametrize(
    'value, parts',
    [
        (None, ['class_names must list the classes', 'found None']),
        ('', ['class_names must list the classes', "found ''"]),
        (['cat', 'dog', 'cat'], ['class_names must be different', 'cat']),
        (['cat', ' cat'], ['class_names must be different', 'cat']),
        (['cat', None], ['class_names must be a list of names', "found ['cat', None]"]),
        ([['cat']], ['class_names must be a list of names', "found [['cat']]"]),
        ({'cat': 0}, ['class_names must', "found {'cat': 0}"]),
        # Dropping the empty one would make class 2 of the annotations class 1.
        (['cat', '', 'dog'], ['class_names must', "found ['cat', '', 'dog']"]),
        (['', ' '], ['class_names must', "found ['', ' ']"]),
        ('cat,,dog', ['class_names must be names, none of them empty', "found 'cat,,dog'"]),
        *(
            (value, ['class_names must be a list of names, in quotation marks where', f'found {value!r}'])
            for value in ({'cat'}, [True, False], [date(2024, 1, 1)], [b'cat'], b'cat', date(2024, 1, 1), True)
        ),
        (['guide dog', 'guide  dog'], ['class_names must be different', 'found twice: guide dog']),
        (['caf\u00e9', 'cafe\u0301'], ['class_names must be different', 'found twice: caf\u00e9']),
        (['cat', 'x' * 201], ['class_names must have at most 200 characters each', "found ['cat', 'xxx"]),
        ([str(n) for n in range(10_001)], ['class_names must be', 'at most 10000, found']),
    ],
)
def test_wrong_class_names(ymir_task: TaskFolder, value, parts):
    message = refusal(ConfigError, ymir_task.job, class_names=value)
    assert message.startswith(f'{place_of(ymir_task, "class_names")}: ')
    assert [part for part in parts if part not in message] == []


def test_class_names_are_as_they_are_written(ymir_task: TaskFolder):
    path = ymir_task.write('in/config.yaml', "class_names: [1, 1.50, 1:30, 010, 1_0, 'no', '2024-01-01', null-like]\n")
    names = ('1', '1.50', '1:30', '010', '1_0', 'no', '2024-01-01', 'null-like')
    assert read_job(ymir_task.env()).training.class_names == names
    for word in ('no', 'on', '2024-01-01', '!!binary YQ==', '!!set {a}', 'null', '[a]', '{a: b}'):
        path.write_text(f'max_epochs: 1\nclass_names: [cat, {word}]\n')
        told = refusal(ConfigError, read_job, ymir_task.env())
        assert told.startswith(f'{path}:2: class_names must be a list of names, in quotation marks where')


def test_no_class_names(ymir_task: TaskFolder):
    path = ymir_task.write('in/config.yaml', 'max_epochs: 1\n')
    with pytest.raises(ConfigError, match=f'^{path}: class_names must list the classes'):
        read_job(ymir_task.env())


@pytest.mark.parametrize(
    'given, expected',  # given: gpu_id and gpu_count
    [
        ([(None, None), ('', ''), ('', 2), ([], None), ('0', 0), ('0,1', '0')], ()),
        ([('0', 1), (0, 1), ('0', None)], (0,)),
        ([('0,1', '2')], (0, 1)),
        ([('2, 0', 2)], (2, 0)),
        ([([0, 3], 2)], (0, 3)),
    ],
)
def test_gpus(ymir_task: TaskFolder, given, expected):
    for gpu_id, gpu_count in given:
        assert ymir_task.job(gpu_id=gpu_id, gpu_count=gpu_count).training.gpu_ids == expected


MODEL_KEYS = {'training': 'pretrained_model_params', 'mining': 'model_params_path', 'infer': 'model_params_path'}


@pytest.mark.parametrize('task, key', MODEL_KEYS.items())
@pytest.mark.parametrize(
    'names, expected',
    [
        ([], []),
        (['{models}/stage/a.pth', '{models}/stage/a.py'], ['{models}/stage/a.pth', '{models}/stage/a.py']),  # since 2.0
        (['stage/a.pth', 'b.pth'], ['{models}/stage/a.pth', '{models}/b.pth']),
        (['b.pth', '{root}/elsewhere.pth'], ['{models}/b.pth', '{root}/elsewhere.pth']),
        ('stage/a.pth, b.pth', ['{models}/stage/a.pth', '{models}/b.pth']),
    ],
)
def test_model_files(ymir_task: TaskFolder, task, key, names, expected):
    for name in ('stage/a.pth', 'stage/a.py', 'b.pth'):
        add_model_file(ymir_task.root, name)
    ymir_task.write('elsewhere.pth', '')
    folders = {'models': str(ymir_task.root / 'in' / 'models'), 'root': str(ymir_task.root)}
    value = [name.format(**folders) for name in names] if isinstance(names, list) else names
    job = ymir_task.job(task, **{key: value})
    assert getattr(job, task).model_files == tuple(Path(name.format(**folders)) for name in expected)


@pytest.mark.parametrize(
    'names, count, lost',
    [
        (['lost.pth'], '1 of 1 {files} is', ['{models}/lost.pth']),
        (['here.pth', '/no/lost.pth'], '1 of 2 {files} is', ['/no/lost.pth']),
        (['folder', 'lost.py'], '2 of 2 {files} are', ['{models}/folder', '{models}/lost.py']),
        ([f'{n}.pth' for n in range(6)], '6 of 6 {files} are', [*(f'{{models}}/{n}.pth' for n in range(5)), '...']),
        (['null\0byte'], '1 of 1 {files} is', ['{models}/null\0byte']),  # no file can have this name
    ],
)
def test_a_model_file_is_missing(ymir_task: TaskFolder, names, count, lost):
    add_model_file(ymir_task.root, 'here.pth')
    add_model_file(ymir_task.root, 'folder/here.pth')
    message = refusal(ModelError, ymir_task.job, 'infer', model_params_path=names)
    words = f'{count} not there, or may not be read: {", ".join(lost)}'
    named = words.format(files='files of model_params_path', models=ymir_task.root / 'in' / 'models')
    place = place_of(ymir_task, 'model_params_path')
    assert message == f'{place}: {named}: choose a model whose files the container sees'


def test_a_model_file_with_a_name_that_is_too_long(ymir_task: TaskFolder):
    message = refusal(ModelError, ymir_task.job, 'infer', model_params_path=['x' * 50_000])
    assert 'model_params_path is not there, or may not be read: ' in message
    assert len(message) < 600


@pytest.mark.parametrize('task', dict(TASKS))
def test_the_line_of_each_key_is_known(ymir_task: TaskFolder, task):
    job = ymir_task.job(task, cfg_options='a=1', config_file=None, **{'1': 2})
    places = getattr(job, task).places
    assert sorted(places) == sorted(yaml.safe_load(ymir_task.config_file.read_text()))
    for key in ('cfg_options', 'class_names'):
        assert places[key] == place_of(ymir_task, key)
