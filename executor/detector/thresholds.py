"""Put a task's thresholds into a detector's config, where the stage that gives the boxes reads them."""

from __future__ import annotations

from typing import Optional

from mmengine.config import Config

from executor.config.overrides import apply_options
from executor.config.plain import ConfigDict
from executor.contract.errors import ParameterError
from executor.contract.params import DetectionParams


def set_thresholds(config: Config, params: DetectionParams, score_threshold: Optional[float], keep_own: bool) -> float:
    """Put the task's thresholds and options into a config; what cfg_options set stays as they set it.

    For `score_threshold` and `keep_own` see `load_model`. Returns the model's own score threshold, as its config or
    cfg_options have it; 0 where it has none.

    Raises:
        ParameterError: an option does not fit, or the detector has no NMS for `iou_threshold`.
    """
    if params.iou_threshold is not None:
        nms = _stage(config).get('nms')
        if not nms:
            raise ParameterError(
                'iou_threshold', 'iou_threshold is set, but this detector has no NMS to use it: leave it empty'
            )
        nms['iou_threshold'] = params.iou_threshold
    two_stages = 'rcnn' in _test_cfg(config)
    apply_options(config, params.cfg_options)
    stage = _stage(config)
    own_threshold = float(stage.get('score_thr', 0.0))
    chosen = ('model.test_cfg.rcnn' if two_stages else 'model.test_cfg') + '.score_thr' in params.cfg_options
    if score_threshold is not None and 'score_thr' in stage and not chosen:
        stage['score_thr'] = min(own_threshold, score_threshold) if keep_own else score_threshold
    return own_threshold


def _stage(config: Config) -> ConfigDict:
    """Find the settings of the stage that gives the boxes: `rcnn` of a two-stage detector, else the whole."""
    test_cfg = _test_cfg(config)
    return test_cfg.get('rcnn', test_cfg)


def _test_cfg(config: Config) -> ConfigDict:
    return config['model'].get('test_cfg') or {}
