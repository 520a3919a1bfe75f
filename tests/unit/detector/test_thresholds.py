"""Which boxes a detector leaves out: by its config, the task's parameters and the user's options."""

from __future__ import annotations

import pytest

from executor.config.read import load_config
from executor.contract.errors import ParameterError
from executor.contract.params import InferParams
from executor.detector.thresholds import set_thresholds
from tests.support.random_model import NANO

FASTER_RCNN = 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
SCORE = 'model.test_cfg.score_thr'


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
    assert test_cfg.rcnn.score_thr == (0.3 if options else 0.2)
    assert test_cfg.rcnn.nms.iou_threshold == 0.33
    assert test_cfg.rpn.nms.iou_threshold == 0.7


def test_an_overlap_for_a_detector_without_nms_is_a_mistake_of_that_parameter():
    with pytest.raises(ParameterError, match='^iou_threshold is set, but this detector has no NMS') as caught:
        settings('configs/detr/detr_r50_8xb2-150e_coco.py', iou_threshold=0.5)
    assert caught.value.key == 'iou_threshold'


def test_a_detector_without_a_score_threshold_stays_without():
    test_cfg, own = settings('configs/detr/detr_r50_8xb2-150e_coco.py', score_threshold=0.5)
    assert (own, 'score_thr' in test_cfg) == (0, False)
