"""Play the platform's form: what a user types there, and what of it reaches a task.

A key whose template has a number gets a field that takes numbers alone; any other takes text of at most 100 characters.
The forms of mining and inference leave out what JavaScript takes for false: 0, false and nothing.
"""

from __future__ import annotations

import pytest
import yaml

from executor.contract.config_yaml import key_parsers
from executor.contract.options import TrainArgs
from executor.contract.params import InferParams, MiningParams, TrainParams
from tests.conftest import REPOSITORY
from tests.support.task_folder import TaskFolder

PARAMS = {'training': TrainParams, 'mining': MiningParams, 'infer': InferParams}
KEYS = [(task, key) for task, params in PARAMS.items() for key in key_parsers(params)]
FALSE = (0, False, '')

# What a user may type for what a falsy value would say.
SPELLINGS = ('0', 'none', 'off', 'false')

# For each key something that is not its default, as it is typed, and what the task makes of it.
TYPED = {
    'shm_size': ('16G', '16G'),
    'export_format': ('voc:raw', 'voc:raw'),
    'samples_per_gpu': ('8', 8),
    'workers_per_gpu': ('2', 2),
    'cache_images': ('off', 'off'),
    'max_epochs': ('20', 20),
    'config_file': ('configs/yolov3/yolov3_spp_8x8_273e_coco.py', 'configs/yolov3/yolov3_spp_8x8_273e_coco.py'),
    'input_size': ('512,320', (512, 320)),
    'learning_rate': ('0.005', 0.005),
    'freeze': ('2', '2'),
    'patience': ('10', 10),
    'mosaic': ('off', 'off'),
    'anchors': ('auto', 'auto'),
    'args_options': ('--amp', TrainArgs(amp=True)),
    'cfg_options': ('a.b=1', {'a.b': 1}),
    'metric': ('bbox', 'bbox'),  # there is no other
    'val_interval': ('5', 5),
    'max_keep_checkpoints': ('-1', -1),
    'save_resume_state': ('true', True),
    'export_onnx': ('off', 'off'),
    'ymir_saved_file_patterns': (r'.*\.pth', (r'.*\.pth',)),
    'conf_threshold': ('0.5', 0.5),
    'iou_threshold': ('0.6', 0.6),
    'mining_algorithm': ('cald', 'cald'),
    'class_distribution_scores': ('1.0,0.1', (1.0, 0.1)),
    'class_weights': ('difficulty', 'difficulty'),
    'aldd_exact': ('true', True),
    'diversity': ('on', 'on'),
    'seed': ('7', 7),
}


def template(task):
    return yaml.safe_load((REPOSITORY / f'{task}-template.yaml').read_text(encoding='utf-8'))


def sent(task, **typed):
    """What the form gives after these fields were changed; None where a field does not take what is typed."""
    values = template(task)
    for key, text in typed.items():
        if isinstance(values[key], (int, float)) and not isinstance(values[key], bool):
            try:
                values[key] = yaml.safe_load(text) + 0
            except TypeError:
                return None
        else:
            values[key] = text[:100]
    return values if task == 'training' else {key: value for key, value in values.items() if value}


@pytest.mark.parametrize('task, key', KEYS)
def test_a_key_can_be_changed(ymir_task: TaskFolder, task, key):
    typed, expected = TYPED[key]
    job = ymir_task.job(task, **sent(task, **{key: typed}))
    assert getattr(getattr(job, task), key) == expected


@pytest.mark.parametrize('task', PARAMS)
def test_an_untouched_form_gives_the_defaults(ymir_task: TaskFolder, task):
    assert getattr(ymir_task.job(task, **sent(task)), task) == getattr(ymir_task.job(task), task)


def reached(folder: TaskFolder, task, key, value):
    """What a key becomes in a task of this value, else what is wrong with it."""
    try:
        return getattr(getattr(folder.job(task, **{key: value}), task), key)
    except Exception as error:
        return error


@pytest.mark.parametrize('task, key', KEYS)
def test_what_a_falsy_value_says_can_be_typed(ymir_task: TaskFolder, task, key):
    default = getattr(getattr(ymir_task.job(task), task), key)
    for value in FALSE:
        wanted = reached(ymir_task, task, key, value)
        if isinstance(wanted, Exception) or wanted == default:
            continue
        forms = [sent(task, **{key: spelling}) for spelling in SPELLINGS]
        found = [reached(ymir_task, task, key, form.get(key)) for form in forms if form is not None]
        assert wanted in found, f'{key}: nothing that can be typed gives {wanted!r}'


@pytest.mark.parametrize('task, key', [('infer', 'conf_threshold'), ('infer', 'iou_threshold'), ('mining', 'seed')])
def test_a_zero_that_is_typed(ymir_task: TaskFolder, task, key):
    assert getattr(getattr(ymir_task.job(task, **sent(task, **{key: '0'})), task), key) == 0


@pytest.mark.parametrize('task, word', [(task, word) for task in PARAMS for word in ('none', '0')])
def test_no_loading_processes(ymir_task: TaskFolder, task, word):
    assert getattr(ymir_task.job(task, workers_per_gpu=word), task).workers_per_gpu == 0


@pytest.mark.parametrize('task, key', KEYS)
def test_a_number_may_come_as_text_and_text_as_a_number(task, key):
    parse = key_parsers(PARAMS[task])[key]
    typed, expected = TYPED[key]
    assert parse(typed) == expected
    try:
        number = float(typed)
    except ValueError:
        return
    assert parse(number) == parse(int(number) if number.is_integer() else number) == expected


@pytest.mark.parametrize('task', PARAMS)
def test_a_form_has_room_for_keys_and_defaults(task):
    for key, value in template(task).items():
        assert len(key) <= 50
        assert len(str(value)) <= 100
