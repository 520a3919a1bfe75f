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
    'made, error',
    [
        (runner(), RuntimeError('boom')),  # finite
        (runner(iteration=0, weight=math.nan), RuntimeError('boom')),  # never trained: broken from the start
        (runner(weight=math.nan), DatasetError('a.txt:1: told already')),
    ],
    ids=['finite', 'first iteration', 'told already'],
)
def test_other_failures_are_left_alone(made, error):
    assert raise_as_not_finite(made, error) is None


def test_numbers_that_are_no_floats_do_not_count():
    made = runner()
    made.model.num_batches_tracked.fill_(2**62)
    assert raise_as_not_finite(made, RuntimeError('boom')) is None


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_every_rank(value):
    hook = ProgressHook(silent_progress().part(0, 1), 1)
    outputs = {'loss': torch.tensor(value), 'loss_cls': torch.tensor(1.5), 'accuracy': torch.tensor(math.nan)}
    with pytest.raises(NonFiniteLossError) as caught:
        hook.after_train_iter(runner(), 0, outputs=outputs)
    assert f'in iteration 8, in epoch 3 (loss {value:g}, loss_cls 1.5; learning rate 0.5)' in str(caught.value)


def test_finite_losses_go_on(caplog):
    hook = ProgressHook(silent_progress().part(0, 1), 1)
    with caplog.at_level(logging.INFO):
        hook.after_train_iter(runner(), 0, outputs={'loss': torch.tensor(1.0), 'accuracy': torch.tensor(math.nan)})
    assert caplog.messages == []  # rank 1 says nothing
