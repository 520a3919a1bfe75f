"""Match the parameters of a file with those of a model, and load what fits, or all."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Sequence

from torch import Tensor
from torch.nn import Module

from executor.contract.errors import ModelError
from executor.contract.params import DetectionParams
from executor.contract.shown import listed
from executor.models import families
from executor.weights.checkpoint import model_parameters, read_checkpoint

logger = logging.getLogger(__name__)

_CLASS_LAYERS = ('bbox_head', 'roi_head')  # beginnings of the names whose shapes may depend on the number of classes
# Outputs an anchor that are for no class, and come first: those of YOLOv3 and YOLOv5 for a box and its objectness.
_BESIDE_CLASSES = {'bbox_head.convs_pred.': 5}


class Match(NamedTuple):
    """Parameters of a file beside those of a model, in the model's order."""

    fitting: Dict[str, Tensor]  # that both have, in the same shape
    other_shape: List[str]  # that both have, in different shapes
    missing: List[str]  # of the model alone, but for the counters of batch norms, which nothing depends on
    left_over: List[str]  # of the file alone


def match(parameters: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Match:
    """Match parameters with a model's `own`, by name and shape."""
    common = [name for name in own if name in parameters]
    fitting = {name: parameters[name] for name in common if parameters[name].shape == own[name].shape}
    return Match(
        fitting=fitting,
        other_shape=[name for name in common if name not in fitting],
        missing=[name for name in own if name not in parameters and not name.endswith('num_batches_tracked')],
        left_over=[name for name in parameters if name not in own],
    )


def load_weights(model: Module, path: Path) -> None:
    """Load the parameters that fit; of a head for other classes no more than what is for no class, with a note.

    Raises:
        ModelError: the weights are of another architecture.
    """
    own = model.state_dict()
    parameters = model_parameters(read_checkpoint(path), path)
    fitting, other_shape, missing, left_over = match(parameters, own)
    strange = [name for name in other_shape if not name.startswith(_CLASS_LAYERS)]
    if not fitting and not other_shape:
        raise ModelError(
            f'{path} names its parameters otherwise than {families.known_layouts()} ({_first(left_over)}), whose names '
            'are read: choose weights of one of these'
        )
    if strange or len(fitting) < len(own) / 2:
        raise ModelError(
            f'{path} does not fit the model of config_file: {len(fitting)} of {len(own)} parameters fit'
            + (f', {_first(strange)} has another shape' if strange else '')
            + ': set config_file to the one that these weights were trained with'
        )
    classes = getattr(getattr(model, 'bbox_head', None), 'num_classes', 0)
    partly = {
        name: _with_own_classes(parameters[name], own[name], _beside(name), classes)
        for name in other_shape
        if _beside(name)
    }
    model.load_state_dict({**fitting, **partly}, strict=False)
    logger.info('weights: %s, %d of %d parameters loaded', path, len(fitting), len(own))
    if partly:
        logger.info('  loaded but for the classes, which are others: %s', ', '.join(partly))
    if len(other_shape) > len(partly):
        logger.info(
            '  left out, made for other classes: %s', ', '.join(name for name in other_shape if name not in partly)
        )
    if missing or left_over:
        logger.warning(
            '  %d parameters of the model are not in the file (%s), %d of the file are not in the model (%s)',
            *(len(missing), _first(missing), len(left_over), _first(left_over)),
        )


def load_all(model: Module, parameters: Mapping[str, Tensor], path: Path, params: DetectionParams) -> None:
    """Load every parameter of the model; what the file has beyond that (such as a second, averaged set) is left.

    Raises:
        ModelError: parameters are missing or have another shape; with what the task's `params` have to do with it.
    """
    own = model.state_dict()
    fitting, other_shape, missing, _ = match(parameters, own)
    if not missing and other_shape and all(name.startswith(_CLASS_LAYERS) for name in other_shape):
        found = _number_of_classes(other_shape[0], parameters, own, len(params.class_names))
        raise ModelError(
            f'{path} detects {found or "another number of"} classes, whose names it does not hold, but class_names has '
            f'{len(params.class_names)} ({", ".join(params.class_names)}): give class_names of the model, in its order'
        )
    if missing or other_shape:
        problems = ((missing, 'are missing'), (other_shape, 'have another shape'))
        wrong = ' and '.join(f'{len(names)} {problem} ({_first(names)})' for names, problem in problems if names)
        changing = ', '.join(key for key in params.cfg_options if key.startswith('model.'))
        raise ModelError(
            f'{path} does not fit the config: of its {len(own)} parameters {wrong}: set config_file to the config that '
            f'these weights were trained with{", and leave out cfg_options " + changing if changing else ""}'
        )
    model.load_state_dict(fitting, strict=False)


def _beside(name: str) -> int:
    return next((count for layer, count in _BESIDE_CLASSES.items() if name.startswith(layer)), 0)


def _with_own_classes(found: Tensor, own: Tensor, beside: int, classes: int) -> Tensor:
    """Take what a layer has for no class, the rest of the model's own; all of that where anchors or inputs differ."""
    anchors = own.shape[0] // (beside + classes)
    if found.shape[1:] != own.shape[1:] or found.shape[0] % anchors or found.shape[0] // anchors <= beside:
        return own
    merged = own.clone().reshape(anchors, beside + classes, -1)
    merged[:, :beside] = found.reshape(anchors, -1, merged.shape[2])[:, :beside]
    return merged.reshape(own.shape)


def _number_of_classes(name: str, found: Mapping[str, Tensor], own: Mapping[str, Tensor], classes: int) -> str:
    """Tell the number of classes, where a layer has so many outputs an anchor and none for background; else nothing."""
    beside = _beside(name)
    outputs, own_outputs = found[name].shape[0] * (classes + beside), own[name].shape[0]
    if name.startswith('roi_head') or own_outputs % (classes + beside) or outputs % own_outputs:
        return ''
    return str(outputs // own_outputs - beside)


def _first(names: Sequence[str]) -> str:
    return listed(names, 1) or 'none'
