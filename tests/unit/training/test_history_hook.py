"""What is noted of each epoch, and what of it a file may hold."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from executor.training.history_hook import HistoryHook, plain_history, read_history


def test_an_epoch_is_the_mean_of_its_losses_its_last_rate_and_its_validation():
    hub, history = MessageHub('test_history'), {}
    runner = SimpleNamespace(rank=0, epoch=0, message_hub=hub, train_dataloader=range(2))
    hook = HistoryHook(history)
    for epoch, losses in enumerate([(4, 2), (1, 0.5)]):
        runner.epoch = epoch
        for number, loss in enumerate(losses):
            hub.update_scalar('train/loss', loss)
            hub.update_scalar('train/loss_cls', loss / 2)
            hub.update_scalar('train/time', 9)
            hub.update_scalar('train/lr', 0.1 / (2 * epoch + number + 1))
        hook.after_train_epoch(runner)
    runner.epoch = 2
    hook.after_val_epoch(runner, {'coco/bbox_mAP_50': 0.5, 'coco/bbox_mAP': 0.25, 'coco/images': 9})
    assert history == {
        1: {'loss': 3.0, 'loss_cls': 1.5, 'lr': 0.05},
        2: {'loss': 0.75, 'loss_cls': 0.375, 'lr': 0.025, 'AP_50': 0.5, 'AP': 0.25},
    }


def test_other_ranks_note_nothing():
    history = {}
    HistoryHook(history).after_val_epoch(SimpleNamespace(rank=1, epoch=2), {'coco/bbox_mAP_50': 0.5})
    assert history == {}


def test_a_history_is_read_as_it_was_written():
    history = {1: {'loss': 3.0, 'lr': 0.05}, 2: {}}
    assert read_history(plain_history(history)) == history


@pytest.mark.parametrize(
    'state, words',
    [
        (7, 'ymir_history must be a list'),
        ([7], r'ymir_history\[0\] must be a dict'),
        ([{'epoch': 0, 'numbers': {}}], r'ymir_history\[0\].epoch must be a whole number'),
        ([{'epoch': 1}], r'ymir_history\[0\].numbers must be a dict'),
        ([{'epoch': 1, 'numbers': {'loss': 'x'}}], r"numbers.loss must be a finite number, found 'x'"),
        ([{'epoch': 1, 'numbers': {'loss': float('nan')}}], 'numbers.loss must be a finite number'),
        ([{'epoch': 1, 'numbers': {'loss': 10**400}}], 'numbers.loss must be a finite number'),
        ([{'epoch': 1, 'numbers': {'loss': True}}], 'numbers.loss must be a finite number'),
    ],
)
def test_what_no_training_writes(state, words):
    with pytest.raises(ValueError, match=words):
        read_history(state)
