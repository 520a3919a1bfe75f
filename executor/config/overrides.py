"""Put into a config what a task sets: its classes, its thresholds and the user's `cfg_options`."""

from __future__ import annotations

import copy
from typing import List, Mapping, Optional, Sequence, Tuple, Union

from mmengine.config import Config

from executor.config.allowed import OPTIONS, refused_parts
from executor.config.former_options import todays_options
from executor.config.plain import ConfigDict
from executor.contract import parsers
from executor.contract.errors import ParameterError
from executor.contract.params import DetectionParams
from executor.contract.shown import clipped, shown

NO_MASKS = 'config_file names a detector that learns masks, but YMIR exports boxes: choose one for boxes'


def set_classes(config: Config, class_names: Sequence[str]) -> None:
    """Set the number of classes of every box head: `bbox_head`, `roi_head.bbox_head` (one or a cascade).

    The predecessor overwrote every key called num_classes, at any depth. A detector that has none of the known heads
    is an error rather than a model of 80 classes.
    """
    model = config['model']
    detector = model.get('detector', model)  # semi-supervised wrappers hold one
    roi_head = detector.get('roi_head') or {}
    if 'mask_head' in roi_head or 'mask_head' in detector or 'panoptic_head' in detector:
        raise ParameterError('config_file', NO_MASKS)
    heads = _as_list(detector.get('bbox_head')) + _as_list(roi_head.get('bbox_head'))
    heads = [head for head in heads if 'num_classes' in head]
    if not heads:
        raise ParameterError(
            'config_file',
            f'the detector of config_file ({model.get("type")}) has no bbox_head or roi_head.bbox_head with '
            'num_classes: choose another detector',
        )
    for head in heads:
        losses = [loss for loss in head.values() if isinstance(loss, dict) and 'num_classes' in loss]
        for part in (head, *losses):
            part['num_classes'] = len(class_names)


def _as_list(heads: Union[None, ConfigDict, Sequence[ConfigDict]]) -> List[ConfigDict]:
    return [heads] if isinstance(heads, dict) else list(heads or ())


def set_thresholds(config: Config, params: DetectionParams, score_threshold: Optional[float], keep_own: bool) -> float:
    """Put the thresholds and options of a task into a config; what cfg_options set stays as they set it.

    For `score_threshold` and `keep_own` see `load_model`. Returns the model's own score threshold, as its config or
    cfg_options have it; 0 where it has none.

    Raises:
        ParameterError: an option does not fit, or the detector has no NMS for `iou_threshold`.
    """
    key, stage = _box_stage(config)
    if params.iou_threshold is not None:
        if not stage.get('nms'):
            raise ParameterError(
                'iou_threshold', 'iou_threshold is set, but this detector has no NMS to use it: leave it empty'
            )
        stage['nms']['iou_threshold'] = params.iou_threshold
    apply_options(config, params.cfg_options)
    _, stage = _box_stage(config)  # as it is now
    own_threshold = float(stage.get('score_thr', 0.0))
    if score_threshold is not None and 'score_thr' in stage and f'{key}.score_thr' not in params.cfg_options:
        stage['score_thr'] = min(own_threshold, score_threshold) if keep_own else score_threshold
    return own_threshold


def _box_stage(config: Config) -> Tuple[str, ConfigDict]:
    """Find key and settings of the stage that gives the boxes: `rcnn` of a two-stage detector, else the whole."""
    test_cfg = config['model'].get('test_cfg') or {}
    return ('model.test_cfg.rcnn', test_cfg['rcnn']) if 'rcnn' in test_cfg else ('model.test_cfg', test_cfg)


def apply_options(config: Config, options: Mapping[str, object]) -> None:
    """Merge `a.b.0.c: value` entries into the config; a list index must exist.

    A first word that mmengine does not know would be merged and never looked at.
    """
    if 'resume' in options:
        raise wrong_option('resume: use args_options --resume, which finds or takes the file to resume from')
    for key in options:
        if key.rpartition('.')[2] == 'num_classes':
            raise wrong_option(f'{key}: the number of classes is that of class_names: leave it out')
    former = todays_options(options)
    if former:
        raise wrong_option(f'{clipped(former, 1000)}: use what it is called today')
    unknown = sorted({key.partition('.')[0] for key in options} - set(OPTIONS))
    if unknown:
        raise wrong_option(
            f'{", ".join(unknown)}: no such key may be set, or mmdet 3 would ignore it: use keys of the config, which '
            f'begin with {", ".join(OPTIONS)}'
        )
    # What a task has set itself, such as the files of its dataset, is not on the list, and must stay as it is.
    known = {(key, repr(value)) for key, value, _ in refused_parts(config)}
    try:
        config.merge_from_dict(copy.deepcopy(dict(options)))
    except (KeyError, TypeError, ValueError, IndexError, AssertionError) as error:
        reason = str(error).strip('"').partition(' of list [')[0]  # mmengine prints the whole list
        raise wrong_option(f'do not fit the config ({clipped(reason)}): name keys and list positions that it has')
    for key, value, wanted in refused_parts(config):
        if (key, repr(value)) not in known:
            raise wrong_option(f'{key} must be {clipped(wanted, 600)}, found {shown(value)}')


def chosen_number(options: Mapping[str, object], key: str, default: int) -> int:
    """Read a whole number of at least 1 that the user's options may override."""
    try:
        return parsers.integer(1)(options.get(key, default))
    except ValueError as error:
        raise wrong_option(f'{key} must be {error}, found {shown(options[key])}')


def wrong_option(problem: str) -> ParameterError:
    """Make an error of cfg_options that tells the problem."""
    return ParameterError('cfg_options', f'cfg_options {problem}')
