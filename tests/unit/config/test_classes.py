"""The number of classes, in detectors of several kinds."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from executor.config.classes import set_classes
from executor.contract.errors import ConfigError


@pytest.mark.parametrize(
    'model',
    [
        {'bbox_head': {'num_classes': 80, 'loss_cls': {'num_classes': 80}}, 'backbone': {'num_classes': 1000}},
        {'roi_head': {'bbox_head': {'num_classes': 80}}},
        {'roi_head': {'bbox_head': [{'num_classes': 80}, {'num_classes': 80}]}},
        {'detector': {'bbox_head': {'num_classes': 80}}},
    ],
    ids=['one stage', 'two stages', 'cascade', 'semi-supervised'],
)
def test_every_head_gets_the_number_and_nothing_else_does(model):
    config = Config({'model': model})
    set_classes(config, ('cat', 'dog'))
    text = config.pretty_text
    assert 'num_classes=80' not in text and 'num_classes=2' in text
    assert ('num_classes=1000' in text) == ('backbone' in model)


@pytest.mark.parametrize(
    'model, message',
    [
        ({'type': 'MaskRCNN', 'roi_head': {'bbox_head': {'num_classes': 80}, 'mask_head': {}}}, 'learns masks'),
        ({'type': 'Strange', 'head': {'num_classes': 80}}, r'\(Strange\) has no bbox_head'),
    ],
)
def test_a_model_whose_classes_cannot_be_set_is_an_error(model, message):
    with pytest.raises(ConfigError, match=message):
        set_classes(Config({'model': model}), ('cat',))
