"""The user's options in a config."""

from __future__ import annotations

import pytest

from executor.config.overrides import apply_options, chosen_number
from executor.config.read import load_config
from executor.contract.errors import ConfigError
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


def test_a_number_among_the_options_counts_for_more():
    assert chosen_number({}, 'train_cfg.max_epochs', 7) == 7
    assert chosen_number({'train_cfg.max_epochs': 3}, 'train_cfg.max_epochs', 7) == 3
    with pytest.raises(
        ConfigError, match="^cfg_options train_cfg.max_epochs must be a whole number of .*, found 'ten'"
    ):
        chosen_number({'train_cfg.max_epochs': 'ten'}, 'train_cfg.max_epochs', 7)
