"""What a task sets in a config: classes, in detectors of several kinds, thresholds, and the user's options."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from executor.config.overrides import apply_options, chosen_number, set_classes, set_thresholds
from executor.config.read import load_config
from executor.contract.errors import ParameterError
from executor.contract.params import InferParams
from tests.support.random_model import NANO
from tests.unit.config.test_allowed import NOT_ALLOWED

FASTER_RCNN = 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
DETR = 'configs/detr/detr_r50_8xb2-150e_coco.py'
SCORE = 'model.test_cfg.score_thr'


# --- classes --------------------------------------------------------------------------------------------------------


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
    with pytest.raises(ParameterError, match=message):
        set_classes(Config({'model': model}), ('cat',))


# --- thresholds -----------------------------------------------------------------------------------------------------


def settings(config_file=NANO, options=None, iou_threshold=None, score_threshold=None, keep_own=False):
    """The config's test_cfg, and the model's own score threshold."""
    config = load_config(config_file)
    params = InferParams(('cat', 'dog'), (), (), cfg_options=options or {}, iou_threshold=iou_threshold)
    own = set_thresholds(config, params, score_threshold, keep_own)
    return config.model.test_cfg, own


@pytest.mark.parametrize(
    'values, expected',
    [
        ({}, (0.01, 0.65)),
        ({'iou_threshold': 0.4}, (0.01, 0.4)),
        ({'options': {SCORE: 0.3}}, (0.3, 0.65)),
        ({'options': {'model.test_cfg.nms.iou_threshold': 0.1}, 'iou_threshold': 0.4}, (0.01, 0.1)),
    ],
)
def test_parameters_and_options(values, expected):
    test_cfg, _ = settings(**values)
    assert (test_cfg.score_thr, test_cfg.nms.iou_threshold) == expected


@pytest.mark.parametrize('score_threshold', [0.005, 0.5])
@pytest.mark.parametrize('options, own', [({}, 0.01), ({SCORE: 0.3}, 0.3), ({SCORE: 0.001}, 0.001)])
@pytest.mark.parametrize('keep_own', [False, True])
def test_the_detector_finds_what_is_looked_at_unless_options_say_otherwise(score_threshold, options, own, keep_own):
    test_cfg, found = settings(options=options, score_threshold=score_threshold, keep_own=keep_own)
    assert found == own
    assert test_cfg.score_thr == (own if options else min(own, score_threshold) if keep_own else score_threshold)


@pytest.mark.parametrize('options', [{}, {'model.test_cfg.rcnn.score_thr': 0.3}])
def test_a_two_stage_detector_has_its_thresholds_in_the_second(options):
    test_cfg, own = settings(FASTER_RCNN, options, iou_threshold=0.33, score_threshold=0.2)
    assert own == (0.3 if options else 0.05)
    assert (test_cfg.rcnn.score_thr, test_cfg.rcnn.nms.iou_threshold) == (0.3 if options else 0.2, 0.33)
    assert test_cfg.rpn.nms.iou_threshold == 0.7


def test_a_detector_without_nms_and_score_threshold_takes_none():
    with pytest.raises(ParameterError, match='^iou_threshold is set, but this detector has no NMS') as caught:
        settings(DETR, iou_threshold=0.5)
    assert caught.value.key == 'iou_threshold'
    test_cfg, own = settings(DETR, score_threshold=0.5)
    assert (own, 'score_thr' in test_cfg) == (0, False)


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('key, value', NOT_ALLOWED)
def test_options_cannot_name_something_else(key, value):
    with pytest.raises(ParameterError, match=f'^cfg_options {key} must be .*, found '):
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
        ('optimiser.lr', r'cfg_options optimiser: no such key may be set.*optim_wrapper'),
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
