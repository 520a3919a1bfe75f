"""With a list for problems, reading a task notes all that is wrong, each as its first would have been told."""

from __future__ import annotations

from typing import List

import pytest

from demo.task_folder import add_image, write_config
from desk.task_folder import write_env, write_index
from executor.config.find import check_config_file
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.errors import ConfigError, DatasetError, ExecutorError, ModelError
from executor.contract.inputs import check_inputs
from tests.support.task_folder import TaskFolder, line_of


def of_kind(problems: List[ExecutorError], kind: type, *parts: str) -> bool:
    return any(type(problem) is kind and all(part in str(problem) for part in parts) for problem in problems)


def test_all_of_env_yaml(ymir_task: TaskFolder):
    file = write_env(ymir_task.root)
    text = file.read_text(encoding='utf-8')
    for old, new in (('run_mining: false', 'run_mining: perhaps'), ('protocol_version: 1.1.0', 'protocol_version: x')):
        text = text.replace(old, new)
    for key in ('models_dir: ', 'monitor_file: '):
        text = text.replace(f'  {key}', f'  {key}\n    - ', 1)
    file.write_text(text, encoding='utf-8')
    problems: List[ExecutorError] = []
    with pytest.raises(ConfigError) as last:
        read_env(file, problems)
    told = ' / '.join(map(str, [*problems, last.value]))
    assert len(problems) == 3
    for key in ('run_mining', 'protocol_version', 'input.models_dir', 'output.monitor_file'):
        assert told.count(f'{key} must be') == 1


def test_all_of_config_yaml(ymir_task: TaskFolder):
    ymir_task.job('mining')
    write_values = {'seed': -1, 'iou_threshold': 2, 'samples_per_gpu': 0, 'class_names': ['a', 'a'], 'gpu_id': 'x'}
    values = {**write_values, 'gpu_count': 1, 'object_type': 3, 'model_params_path': ['no.pth'], 'config_file': 'no.py'}
    write_config(ymir_task.root, **values, mining_algorithm='entropy')
    problems: List[ExecutorError] = []
    job = read_job(read_env(ymir_task.root / 'in/env.yaml'), problems)
    check_config_file(job, problems)
    for key in ('seed', 'iou_threshold', 'samples_per_gpu', 'class_names', 'gpu_id', 'object_type'):
        place = f'{ymir_task.config_file}:{line_of(ymir_task.config_file, f"{key}:")}'
        assert of_kind(problems, ConfigError, place, f'{key} must be')
    assert of_kind(problems, ModelError, 'no.pth')
    assert of_kind(problems, ConfigError, 'config_file', "'no.py'")
    assert len(problems) == 8
    assert job.mining is not None and job.mining.mining_algorithm == 'entropy'  # what is right is read
    assert (job.mining.seed, job.mining.samples_per_gpu) == (0, 16)


def test_all_of_the_indexes(ymir_task: TaskFolder):
    image, other = add_image(ymir_task.root, 'a.jpg'), add_image(ymir_task.root, 'b.jpg')
    rows = [
        (image, other),
        ('no annotation',),
        (ymir_task.root / 'in/gone.jpg', other),
        ('/etc/hostname', other),
        (image, image),
    ]
    index = write_index(ymir_task.root, 'train-index.tsv', rows)
    job = ymir_task.job(args_options='--resume no.pth')
    problems: List[ExecutorError] = []
    check_inputs(job, problems)
    assert of_kind(problems, DatasetError, f'{index}:2: expected <image><tab>')
    assert of_kind(problems, DatasetError, '/etc/hostname', f'({index}:4)', 'outside of the input folders')
    assert of_kind(problems, DatasetError, 'gone.jpg', f'({index}:3)', 'cannot be found')
    assert of_kind(problems, DatasetError, f'{index}:5', 'has another annotation')
    assert of_kind(problems, DatasetError, 'val-index.tsv cannot be read')
    assert of_kind(problems, ModelError, '--resume no.pth')
    assert len(problems) == 6
