"""Weights that tell their network decide the model of a config, and refuse configs of other networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from executor.config.held import take_held_model
from executor.contract.errors import ModelError
from executor.models.held import HeldModel

WEIGHTS = Path('/in/best.pt')
HELD = HeldModel(
    'Net7', 'configs/net/net7.py', 'NetHead', {'backbone': {'channels': [7]}, 'bbox_head': {'anchors': [1]}}
)

FIXED = HELD._replace(changes={}, needed={'backbone': {'type': 'B', 'depth': 7}})


def config(head: object) -> Config:
    return Config({'model': {'backbone': {'type': 'B', 'channels': [2, 3]}, 'bbox_head': head}})


def test_what_they_tell_is_changed_and_nothing_else():
    taken = config({'type': 'NetHead', 'classes': 3})
    take_held_model(taken, HELD, WEIGHTS)
    assert taken.model == {
        'backbone': {'type': 'B', 'channels': [7]},
        'bbox_head': {'type': 'NetHead', 'classes': 3, 'anchors': [1]},
    }


def test_those_that_tell_nothing_change_nothing():
    taken = config({'type': 'Other'})
    take_held_model(taken, None, WEIGHTS)
    assert taken.model == config({'type': 'Other'}).model


@pytest.mark.parametrize('head, told', [({'type': 'Other'}, 'Other'), ([{'type': 'NetHead'}], 'none of its kind')])
def test_a_config_of_another_network_is_refused(head, told):
    with pytest.raises(ModelError) as error:
        take_held_model(config(head), HELD, WEIGHTS)
    assert str(error.value) == (
        f'/in/best.pt is of Net7, and does not fit config_file, whose detector has {told}: set config_file to '
        'configs/net/net7.py'
    )


@pytest.mark.parametrize('backbone', [{'type': 'B', 'depth': 8}, {'type': 'B'}, None])
def test_what_a_config_has_to_say_is_not_changed_but_told(backbone):
    with pytest.raises(ModelError, match='does not fit config_file, whose detector has another backbone: set'):
        take_held_model(Config({'model': {'backbone': backbone, 'bbox_head': {'type': 'NetHead'}}}), FIXED, WEIGHTS)
    fitting = Config({'model': {'backbone': {'type': 'B', 'depth': 7}, 'bbox_head': {'type': 'NetHead'}}})
    taken = Config(fitting.to_dict())
    take_held_model(taken, FIXED, WEIGHTS)
    assert taken.model == fitting.model
