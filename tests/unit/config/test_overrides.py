"""The user's options in a config."""

from __future__ import annotations

import pytest

from executor.config.overrides import apply_options, chosen_number
from executor.config.read import load_config
from executor.contract.errors import ConfigError, ParameterError
from tests.support.random_model import NANO
from tests.unit.config.test_allowed import RUNNING


@pytest.mark.parametrize('key, value', RUNNING)
def test_options_cannot_name_something_else(key, value):
    with pytest.raises(ConfigError, match='name something that mmdet registers'):
        apply_options(load_config(NANO), {key: value})


@pytest.mark.parametrize('value', ['soft_nms', 'nms'])
def test_options_may_choose_another_nms(value):
    config = load_config(NANO)
    apply_options(config, {'model.test_cfg.nms.type': value, 'model.backbone.norm_cfg.type': 'mmdet.BN'})
    assert config.model.test_cfg.nms.type == value


@pytest.mark.parametrize(
    'key, message',
    [
        ('param_scheduler.7.end', 'cfg_options do not fit the config'),
        ('optimizer.lr', r'cfg_options optimizer: mmdet 3 has no such key.*optim_wrapper'),
        ('resume', 'use args_options --resume'),
        ('model.bbox_head.num_classes', 'model.bbox_head.num_classes: the number of classes is that of class_names'),
    ],
)
def test_an_option_that_does_not_fit_is_told(key, message):
    with pytest.raises(ParameterError, match=message) as caught:
        apply_options(load_config(NANO), {key: 4})
    assert caught.value.key == 'cfg_options'


def test_a_number_among_the_options_counts_for_more():
    assert chosen_number({}, 'train_cfg.max_epochs', 7) == 7
    assert chosen_number({'train_cfg.max_epochs': 3}, 'train_cfg.max_epochs', 7) == 3


@pytest.mark.parametrize('value', ['ten', 0])
def test_a_number_that_cannot_be_is_told(value):
    message = f'^cfg_options train_cfg.max_epochs must be a whole number of at least 1, found {value!r}$'
    with pytest.raises(ParameterError, match=message):
        chosen_number({'train_cfg.max_epochs': value}, 'train_cfg.max_epochs', 7)
