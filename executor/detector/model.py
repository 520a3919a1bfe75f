"""Make a trained model ready to detect: config and weights of a package, or bare weights under a named config."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Sequence, Tuple

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from executor.config.blame import config_to_blame
from executor.config.held import take_held_model
from executor.config.input_size import set_input_size
from executor.config.our_data import outer_pipeline
from executor.config.overrides import set_classes, set_thresholds
from executor.config.patches import patch
from executor.config.plain import ConfigDict
from executor.config.read import load_config, load_config_of_weights
from executor.contract.errors import ModelError
from executor.contract.params import DetectionParams, TrainParams
from executor.contract.shown import clipped
from executor.models.families import register_parts
from executor.models.held import HeldModel
from executor.weights.checkpoint import (
    class_ap_of,
    class_names_of,
    held_model,
    meta_of,
    model_parameters,
    read_checkpoint,
)
from executor.weights.choose import WEIGHT_SUFFIXES, best_weights, replace_downloads
from executor.weights.match import load_all

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A detector with its weights, in evaluation mode on the CPU."""

    model: torch.nn.Module
    pipeline: Tuple[ConfigDict, ...]  # the transforms an image goes through in the config's test
    score_threshold: float  # the model's own, see `set_thresholds`
    class_ap: Optional[Tuple[float, ...]]  # of each class in its validation; None where it is not recorded


def load_model(params: DetectionParams, score_threshold: Optional[float] = None, keep_own: bool = False) -> LoadedModel:
    """Build the detector of `params.model_files`.

    Args:
        params: the task's.
        score_threshold: the caller looks at no boxes below it, so that the detector need not find them; cfg_options
            that set the config's `score_thr` count for more. None: boxes above the model's own threshold are found.
        keep_own: boxes above the model's own threshold are found as well.

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
            f'model_params_path lists no {" or ".join(WEIGHT_SUFFIXES)} file: choose a model, found '
            + (', '.join(file.name for file in params.model_files) or 'nothing')
        )
    checkpoint = read_checkpoint(weights)
    _check_class_names(class_names_of(checkpoint), params.class_names, weights)
    held = held_model(checkpoint, weights)
    config = _config_of(params, checkpoint, weights, held)
    take_held_model(config, held, weights)
    with config_to_blame(config, params.cfg_options):
        set_classes(config, params.class_names)
        if 'test_dataloader' not in config:
            config['test_dataloader'] = copy.deepcopy(config['val_dataloader'])
        set_input_size(config, params.input_size)
        own_threshold = set_thresholds(config, params, score_threshold, keep_own)
        replace_downloads(config['model'], will_load=True)  # everything it would download is in the weights
        model = MODELS.build(config['model']).eval().requires_grad_(False)
        pipeline = tuple(dict(transform) for transform in outer_pipeline(config['test_dataloader']['dataset']))
        _check_sizes(pipeline)
    load_all(model, model_parameters(checkpoint, weights), weights, params)
    logger.info('model: %s, %s', config['model']['type'], weights)
    return LoadedModel(model, pipeline, own_threshold, class_ap_of(checkpoint))


def _check_class_names(known: Optional[Sequence[str]], wanted: Sequence[str], weights: Path) -> None:
    """Check the task's class names against those in the weights, where these hold some.

    The position is the class id, so the number must agree; other names may be meant so, and are told.
    """
    if known is None:
        return
    if len(known) != len(wanted):
        raise ModelError(
            f'{weights} detects {len(known)} classes ({clipped(", ".join(known))}), but class_names has {len(wanted)} '
            f'({", ".join(wanted)}): give class_names of the model, in its order'
        )
    if known != wanted:
        other = [f'{ours} for {clipped(theirs)}' for ours, theirs in zip(wanted, known) if ours != theirs]
        logger.warning('class_names are not those of the model: %s', ', '.join(other))


def _config_of(
    params: DetectionParams, checkpoint: Mapping[str, object], weights: Path, held: Optional[HeldModel]
) -> Config:
    """Load the config that the task names, else that of the weights, else the package's only one."""
    packaged = sorted({file.name for file in params.model_files if file.suffix == '.py'})
    named = meta_of(checkpoint).get('config_file')
    if params.config_file:
        return load_config(params.config_file, params.model_files)
    if isinstance(named, str) and named in packaged:
        return load_config(named, params.model_files)
    if len(packaged) == 1:
        return load_config(packaged[0], params.model_files)
    if held is not None and not packaged:
        return load_config(held.config_file)
    config = None if packaged else load_config_of_weights(weights, meta_of(checkpoint))
    if config is None:
        raise ModelError(
            f'{weights} comes with {"several configs: " + ", ".join(packaged) if packaged else "no config"}: set '
            f'config_file to the one it was trained with, such as {TrainParams.config_file}'
        )
    return config


def _check_sizes(pipeline: Sequence[ConfigDict]) -> None:
    """Refuse a network input without pixels, which would find nothing, in silence."""
    for transform in pipeline:
        for key in ('scale', 'size', 'img_scale'):
            sides = transform.get(key)
            if isinstance(sides, (int, tuple, list)) and not _is_size(sides):
                raise ValueError(f'{key} of {transform["type"]} is {sides}, expected pixels (width, height)')


def _is_size(sides: object) -> bool:
    """Tell whether it is pixels, or several sizes in pixels; -1 is mmdet's word for a side without limit."""
    if isinstance(sides, (tuple, list)):
        return len(sides) > 0 and all(map(_is_size, sides))
    return isinstance(sides, (int, float)) and (sides >= 1 or sides == -1)
