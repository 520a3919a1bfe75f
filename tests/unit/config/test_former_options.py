"""What the keys of mmdet 2 are called today."""

from __future__ import annotations

import pytest

from executor.config.allowed import OPTIONS
from executor.config.former_options import _TODAY, todays_options
from executor.config.overrides import apply_options
from executor.config.read import load_config
from executor.contract.errors import ParameterError
from tests.support.random_model import NANO


@pytest.mark.parametrize(
    'key, today',
    [
        ('optimizer.lr', 'optim_wrapper.optimizer.lr'),
        ('optimizer.paramwise_cfg.norm_decay_mult', 'optim_wrapper.paramwise_cfg.norm_decay_mult'),
        ('optimizer_config.grad_clip.max_norm', 'optim_wrapper.clip_grad.max_norm'),
        ('lr_config.step', 'in param_scheduler'),
        ('runner.max_epochs', 'the parameter max_epochs'),
        ('data.samples_per_gpu', 'the parameter samples_per_gpu'),
        ('data.test.pipeline.1.img_scale', 'test_dataloader.dataset.pipeline.1.scale'),
        ('data.test.pipeline.1.flip', 'in test_dataloader'),
        ('log_config.interval', 'default_hooks.logger.interval'),
        ('model.random_size_range', 'model.data_preprocessor.batch_augments.0.random_size_range'),
    ],
)
def test_a_key_of_mmdet_2_is_an_error_that_names_todays(key, today):
    with pytest.raises(ParameterError) as caught:
        apply_options(load_config(NANO), {'model.test_cfg.score_thr': 0.1, key: 4})
    assert str(caught.value) == f'cfg_options {key} of mmdet 2 is {today} today: use what it is called today'
    assert caught.value.key == 'cfg_options'


def test_several_are_told_together():
    told = 'seed of mmdet 2 is args_options --seed today, total_epochs of mmdet 2 is the parameter max_epochs today'
    assert todays_options(['load_from', 'seed', 'total_epochs', 'seeds', 'optimizers.lr']) == told


def test_no_key_of_today_is_taken_for_one_of_mmdet_2():
    """And those that the table names are keys of today."""
    for former, today in _TODAY:
        assert former.partition('.')[0] not in OPTIONS or former.startswith('model.')
        assert ' ' in today or today.partition('.')[0] in OPTIONS
    options = {'model.data_preprocessor.batch_augments.0.random_size_range': (320, 352)}
    apply_options(
        load_config(NANO), {**options, 'optim_wrapper.clip_grad.max_norm': 5, 'optim_wrapper.optimizer.lr': 1}
    )
