"""Check that weights fit a task's classes and a detector's config, and load them whole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Mapping, Optional, Sequence

import torch

from executor.contract.errors import ModelError
from executor.contract.params import DetectionParams
from executor.weights.match import CLASS_LAYERS, match

logger = logging.getLogger(__name__)


def check_class_names(known: Optional[Sequence[str]], wanted: Sequence[str], weights: Path) -> None:
    """Check the task's class names against those in the weights, where these hold some.

    The position is the class id, so the number must agree; other names may be meant so, and are told.
    """
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


def load_all(
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
    """Tell the number, where a layer's outputs are in proportion to it, which background would spoil; else nothing."""
    outputs, own_outputs = found[name].shape[0] * classes, own[name].shape[0]
    if name.startswith('roi_head') or own_outputs % classes or outputs % own_outputs:
        return ''
    return str(outputs // own_outputs)


def _without_options(params: DetectionParams) -> str:
    changing = [key for key in params.cfg_options if key.startswith('model.')]
    return f', and leave out cfg_options {", ".join(changing)}' if changing else ''


def _some(names: Sequence[str], what: str) -> str:
    return f'{len(names)} {what} ({names[0]}{", ..." if len(names) > 1 else ""})' if names else ''
