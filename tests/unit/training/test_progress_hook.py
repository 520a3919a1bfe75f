"""When a training's numbers leave what a float can hold."""

from __future__ import annotations

import logging
import math
from types import SimpleNamespace

import pytest
import torch

from executor.contract.errors import DatasetError, NonFiniteLossError
from executor.contract.progress import silent_progress
from executor.training.progress_hook import ProgressHook, raise_as_not_finite


def runner(iteration: int = 7, epoch: int = 2, rate: float = 0.5, **parameters: float) -> SimpleNamespace:
    model = torch.nn.BatchNorm1d(1)
    with torch.no_grad():
        for name, value in parameters.items():
            model.state_dict()[name].fill_(value)
    wrapper = SimpleNamespace(get_lr=lambda: {'lr': [rate]})
    return SimpleNamespace(iter=iteration, epoch=epoch, rank=1, max_iters=100, model=model, optim_wrapper=wrapper)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('name', ['weight', 'bias', 'running_mean', 'running_var'])
def test_a_failure_of_a_model_that_is_not_finite_is_laid_to_its_numbers(name, value):
    error = RuntimeError('boom')
    with pytest.raises(NonFiniteLossError) as caught:
        raise_as_not_finite(runner(**{name: value}), error)
    message = str(caught.value)
    assert message.startswith('the loss is not finite any more in iteration 8, in epoch 3 (the model holds numbers')
    assert '; RuntimeError; learning rate 0.5): set a lower one' in message
    assert 'optim_wrapper.optimizer.lr=0.05,' in message
    assert caught.value.__cause__ is error
    assert caught.value.code == 300201


@pytest.mark.parametrize(
    'values, error',
    [
        ({}, RuntimeError('boom')),  # finite
        ({'num_batches_tracked': 2**62}, RuntimeError('boom')),  # no float
        ({'iteration': 0, 'weight': math.nan}, RuntimeError('boom')),  # never trained: broken from the start
        ({'weight': math.nan}, DatasetError('a.txt:1: told already')),
    ],
)
def test_other_failures_are_left_alone(values, error):
    assert raise_as_not_finite(runner(**values), error) is None


def train_one_iteration(loss: float) -> None:
    outputs = {'loss': torch.tensor(loss), 'loss_cls': torch.tensor(1.5), 'accuracy': torch.tensor(math.nan)}
    ProgressHook(silent_progress().part(0, 1), 1).after_train_iter(runner(), 0, outputs=outputs)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_every_rank(value):
    with pytest.raises(NonFiniteLossError) as caught:
        train_one_iteration(value)
    assert f'in iteration 8, in epoch 3 (loss {value:g}, loss_cls 1.5; learning rate 0.5)' in str(caught.value)


def test_finite_losses_go_on(caplog):
    with caplog.at_level(logging.INFO):
        train_one_iteration(1.0)
    assert caplog.messages == []  # rank 1 says nothing
