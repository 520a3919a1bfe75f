"""A trained model made ready to detect: config and weights of a model package, or bare weights under a named config."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from executor.config.blame import config_to_blame
from executor.config.classes import set_classes
from executor.config.downloads import replace_downloads
from executor.config.overrides import apply_options
from executor.config.patches import patch
from executor.config.read import load_config, outer_pipeline
from executor.contract.errors import ModelError, ParameterError
from executor.contract.params import DetectionParams, TrainParams
from executor.models.families import register_parts
from executor.weights.checkpoint import class_names_of, meta_of, model_parameters, read_checkpoint
from executor.weights.choose import best_weights
from executor.weights.match import CLASS_LAYERS, match

logger = logging.getLogger(__name__)

_SCORE_OPTIONS = ('model.test_cfg.score_thr', 'model.test_cfg.rcnn.score_thr')


@dataclass(frozen=True)
class TrainedModel:
    """A detector with its weights, in evaluation mode on the CPU.

    `pipeline` are the transforms an image goes through in the config's test. `score_threshold` is the one below which
    the model's config leaves boxes out (0 where it has none), whatever else the task asked for.
    """

    model: torch.nn.Module
    pipeline: Tuple[Dict[str, Any], ...]
    class_names: Tuple[str, ...]
    score_threshold: float


def load_model(
    params: DetectionParams, score_threshold: Optional[float] = None, at_most: Optional[float] = None
) -> TrainedModel:
    """Build the detector of `params.model_files`.

    `score_threshold` takes the place of the config's `score_thr`, which cfg_options may set again. `at_most` lowers
    the config's own where it is above, unless cfg_options set it.

    Raises:
        ModelError: no weights, no config, or they do not fit each other or the task's classes.
        ParameterError: config_file or an option does not fit.
    """
    register_parts()
    init_default_scope('mmdet')
    patch()
    weights = best_weights(params.model_files)
    if weights is None:
        raise ModelError(
            'model_params_path lists no .pth or .pt file: choose a model, found '
            + (', '.join(file.name for file in params.model_files) or 'nothing')
        )
    checkpoint = read_checkpoint(weights)
    _check_class_names(class_names_of(checkpoint), params.class_names, weights)
    config = load_config(_config_name(params, checkpoint, weights), params.model_files)
    with config_to_blame(config, params.cfg_options):
        own_threshold = _set_tests(config, params, score_threshold, at_most)
        # Everything a config would download is in the weights.
        replace_downloads(config['model'], will_load=True)
        model = MODELS.build(config['model']).eval().requires_grad_(False)
        pipeline = tuple(dict(transform) for transform in outer_pipeline(config['test_dataloader']['dataset']))
        _check_sizes(pipeline)
    _load_all(model, model_parameters(checkpoint, weights), weights, params)
    logger.info('model: %s, %s', config['model']['type'], weights)
    return TrainedModel(model, pipeline, params.class_names, own_threshold)


def _set_tests(
    config: Config, params: DetectionParams, score_threshold: Optional[float], at_most: Optional[float]
) -> float:
    """Put the task's classes, thresholds and options into the config; returns the score threshold of the config."""
    set_classes(config, params.class_names)
    if 'test_dataloader' not in config:
        config['test_dataloader'] = copy.deepcopy(config['val_dataloader'])
    _set_thresholds(config['model'].get('test_cfg') or {}, params.iou_threshold, score_threshold)
    apply_options(config, params.cfg_options)
    own_threshold = _score_threshold(config['model'].get('test_cfg') or {})
    if at_most is not None and not any(key in params.cfg_options for key in _SCORE_OPTIONS):
        _set_thresholds(config['model'].get('test_cfg') or {}, None, min(own_threshold, at_most))
    return own_threshold


def _check_sizes(pipeline: Sequence[Mapping[str, Any]]) -> None:
    """A network input without pixels would find nothing, in silence."""
    for transform in pipeline:
        for key in ('scale', 'size', 'img_scale'):
            sides = transform.get(key)
            if isinstance(sides, (int, tuple, list)) and not _is_size(sides):
                raise ValueError(f'{key} of {transform["type"]} is {sides}, expected pixels (width, height)')


def _is_size(sides: Any) -> bool:
    """Pixels, or several sizes in pixels; -1 is mmdet's word for a side without limit."""
    if isinstance(sides, (tuple, list)):
        return len(sides) > 0 and all(map(_is_size, sides))
    return isinstance(sides, (int, float)) and (sides >= 1 or sides == -1)


def _config_name(params: DetectionParams, checkpoint: Mapping[str, Any], weights: Path) -> str:
    """The config by the name the task gives, else the weights, else the package's only one."""
    if params.config_file:
        return params.config_file
    packaged = sorted({file.name for file in params.model_files if file.suffix == '.py'})
    named = meta_of(checkpoint).get('config_file')
    if isinstance(named, str) and named in packaged:
        return named
    if len(packaged) == 1:
        return packaged[0]
    raise ModelError(
        f'{weights} comes with {"several configs: " + ", ".join(packaged) if packaged else "no config"}: set '
        f'config_file to the one it was trained with, such as {TrainParams.config_file}'
    )


def _check_class_names(known: Optional[Sequence[str]], wanted: Sequence[str], weights: Path) -> None:
    """The position is the class id, so the number must agree; other names may be meant so."""
    if known is None:
        return
    if len(known) != len(wanted):
        raise ModelError(
            f'{weights} detects {len(known)} classes ({", ".join(known)}), but class_names has {len(wanted)} '
            f'({", ".join(wanted)}): give class_names of the model, in its order'
        )
    if tuple(known) != tuple(wanted):
        other = [f'{ours} for {theirs}' for ours, theirs in zip(wanted, known) if ours != theirs]
        logger.warning('class_names are not those of the model: %s', ', '.join(other))


def _set_thresholds(test_cfg: Dict[str, Any], iou_threshold: Optional[float], score_threshold: Optional[float]) -> None:
    """Put the task's thresholds into the stage that gives the boxes: `rcnn` of a two-stage detector, else the whole."""
    stage = test_cfg.get('rcnn', test_cfg)
    if score_threshold is not None and 'score_thr' in stage:
        stage['score_thr'] = score_threshold
    if iou_threshold is not None:
        if not stage.get('nms'):
            raise ParameterError(
                'iou_threshold', 'iou_threshold is set, but this detector has no NMS to use it: leave it empty'
            )
        stage['nms']['iou_threshold'] = iou_threshold


def _score_threshold(test_cfg: Mapping[str, Any]) -> float:
    return float(test_cfg.get('rcnn', test_cfg).get('score_thr', 0.0))


def _load_all(
    model: torch.nn.Module, parameters: Mapping[str, torch.Tensor], path: Path, params: DetectionParams
) -> None:
    """Load every parameter of the model; what the file has beyond that (such as a second, averaged set) is left."""
    own = model.state_dict()
    fitting, other_shape, missing, _ = match(parameters, own)
    if not missing and other_shape and all(name.startswith(CLASS_LAYERS) for name in other_shape):
        found = _number_of_classes(other_shape[0], parameters, own, len(params.class_names))
        raise ModelError(
            f'{path} detects {found or "another number of"} classes, whose names it does not hold, but class_names has '
            f'{len(params.class_names)} ({", ".join(params.class_names)}): give class_names of the model, in its order'
        )
    if missing or other_shape:
        raise ModelError(
            f'{path} does not fit the config: of its {len(own)} parameters {_some(missing, "are missing")}'
            f'{" and " if missing and other_shape else ""}{_some(other_shape, "have another shape")}: set config_file '
            f'to the config that these weights were trained with{_without_options(params)}'
        )
    model.load_state_dict(fitting, strict=False)


def _number_of_classes(
    name: str, found: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], classes: int
) -> str:
    """`80` where a layer's outputs are in proportion to the classes, which background would spoil; else nothing."""
    outputs, own_outputs = found[name].shape[0] * classes, own[name].shape[0]
    if name.startswith('roi_head') or own_outputs % classes or outputs % own_outputs:
        return ''
    return str(outputs // own_outputs)


def _without_options(params: DetectionParams) -> str:
    changing = [key for key in params.cfg_options if key.startswith('model.')]
    return f', and leave out cfg_options {", ".join(changing)}' if changing else ''


def _some(names: List[str], what: str) -> str:
    return f'{len(names)} {what} ({names[0]}{", ..." if len(names) > 1 else ""})' if names else ''
