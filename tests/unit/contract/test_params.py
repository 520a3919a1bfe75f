from __future__ import annotations

import dataclasses
import pickle

import pytest

from demo.task_folder import add_model_file
from executor.contract.errors import ConfigError, ParameterError
from tests.support.task_folder import TaskFolder, line_of


def test_a_job_travels_to_another_process_and_cannot_be_changed(ymir_task: TaskFolder):
    weights = add_model_file(ymir_task.root, 'a.pth')
    job = ymir_task.job(pretrained_model_params=[str(weights)], cfg_options='a=[1, 2]', args_options='--seed 1')
    assert pickle.loads(pickle.dumps(job)) == job
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.training.max_epochs = 1


def test_two_jobs_share_no_default(ymir_task: TaskFolder):
    first, second = ymir_task.job().training, ymir_task.job().training
    assert first.cfg_options is not second.cfg_options
    assert first.args_options.cfg_options is not second.args_options.cfg_options


def test_where_the_keys_stand_makes_no_other_task(ymir_task: TaskFolder):
    first = ymir_task.job(max_epochs=3).training
    second = ymir_task.job(samples_per_gpu=16, max_epochs=3).training
    assert first.places != second.places
    assert first == second


@pytest.mark.parametrize('tasks', [('training',), ('mining',), ('infer',), ('mining', 'infer')])
def test_a_parameter_that_proves_wrong_is_placed(ymir_task: TaskFolder, tasks):
    job = ymir_task.job(*tasks, config_file='nowhere.py')
    place = f'{ymir_task.config_file}:{line_of(ymir_task.config_file, "config_file:")}'
    placed = job.placed(ParameterError('config_file', 'config_file is nowhere'))
    assert str(placed) == f'{place}: config_file is nowhere'
    assert (type(placed), placed.code) == (ConfigError, 300001)
    not_in_the_file = ParameterError('cfg_options', 'cfg_options is wrong')
    assert job.placed(not_in_the_file) is not_in_the_file


@pytest.mark.parametrize(
    'arguments, options, expected',
    [
        ('', '', {}),
        ('', 'a=1', {'a': 1}),
        ('--cfg-options a=1', '', {'a': 1}),
        ('--cfg-options a=1 b=2', 'b=3 c=4', {'a': 1, 'b': 3, 'c': 4}),  # cfg_options have the last word
    ],
)
def test_config_options_are_those_of_both_texts(ymir_task: TaskFolder, arguments, options, expected):
    training = ymir_task.job(args_options=arguments, cfg_options=options).training
    assert training.config_options == expected
