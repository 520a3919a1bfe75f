"""When a training is over before its end, counted from the first of the best validations."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from executor.training.patience_hook import PatienceHook


def run(hook, found, first=1, interval=1, last=100):
    """Validate as mmengine does until the hook stops it; returns the epoch that was the last."""
    loop = SimpleNamespace(stop_training=False)
    runner = SimpleNamespace(epoch=first - 1, max_epochs=last, train_loop=loop)
    hook.before_train(runner)
    for value in found:
        if loop.stop_training or runner.epoch >= last:
            break
        runner.epoch += interval
        hook.after_val_epoch(runner, {'coco/bbox_mAP_50': value})
    return runner.epoch


@pytest.mark.parametrize(
    'patience, found, ended',
    [
        (2, [0.1, 0.5, 0.4, 0.3, 0.9], 4),  # 0.5 of epoch 2 was not beaten in 3 and 4
        (3, [0.1, 0.5, 0.4, 0.6, 0.9], 5),
        (2, [0.5, 0.5, 0.5, 0.9], 3),  # as good is not better
        (2, [0.0, 0.0, 0.0, 0.1], 3),  # nothing learned is nothing better, too
        (1, [0.5, 0.6, 0.6, 0.9], 3),
        (None, [0.5] * 30, 30),
    ],
)
def test_epochs_without_a_better_one(patience, found, ended):
    assert run(PatienceHook(patience), found) == ended


def test_epochs_are_counted_not_validations():
    assert run(PatienceHook(3), [0.5, 0.4, 0.3, 0.2], interval=2) == 6  # 2 is the best, 6 the first at least 3 later


def test_the_last_epoch_of_a_training_is_no_early_end(caplog):
    with caplog.at_level('INFO', logger='executor'):
        assert run(PatienceHook(2), [0.5, 0.4, 0.3], last=3) == 3
        assert not caplog.text
        assert run(PatienceHook(2), [0.5, 0.4, 0.3], last=4) == 3
    assert 'AP50 has not been better than 0.5000 since epoch 1: ending after epoch 3 of 4' in caplog.text


def saved(hook):
    state = {}
    hook.before_save_checkpoint(None, state)
    return state


def test_a_resumed_training_counts_on():
    first = PatienceHook(None)
    run(first, [0.5, 0.4])
    state = saved(first)
    assert state == {'ymir_best': {'epoch': 1, 'mAP': 0.5}}
    for patience, ended in ((2, 3), (4, 5), (1, 2), (None, 6)):  # after epoch 2, and not at all where it is over
        resumed = PatienceHook(patience)
        resumed.after_load_checkpoint(None, state)
        assert run(resumed, [0.5, 0.4, 0.3, 0.2], first=3) == ended


def test_a_state_of_a_version_before_counts_anew():
    hook = PatienceHook(2)
    hook.after_load_checkpoint(None, {})
    assert saved(hook) == {}
    assert run(hook, [0.3, 0.2, 0.1, 0.0], first=51) == 53


@pytest.mark.parametrize('value', [7, {'epoch': 0, 'mAP': 0.5}, {'epoch': 1, 'mAP': 'high'}, {'epoch': 1}])
def test_a_state_that_no_training_writes(value):
    with pytest.raises(ValueError, match='ymir_best'):
        PatienceHook(2).after_load_checkpoint(None, {'ymir_best': value})


def test_without_numbers_nothing_is_decided():
    hook, loop = PatienceHook(1), SimpleNamespace(stop_training=False)
    hook.after_val_epoch(SimpleNamespace(epoch=5, max_epochs=9, train_loop=loop), {})
    assert not loop.stop_training and saved(hook) == {}
