"""Read checkpoints as data, find in them the parameters, class names and other facts of a model, and write weights."""

from __future__ import annotations

import io
import os
import pickle
import stat
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

import torch

from executor.contract.errors import ModelError
from executor.contract.output.files import replace_file
from executor.contract.shown import clipped, first_line, shown
from executor.models import families
from executor.models.families import WeightLayout
from executor.models.held import HeldModel
from executor.weights import torch_file
from executor.weights.darknet_file import DARKNET_SUFFIX, read_darknet

Checkpoint = Dict[str, Any]  # tensors and plain values, nested
CLASS_AP = 'class_ap'  # among the facts of our checkpoints, each class's AP by its name


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint as dense tensors and plain values; nothing in it is looked up or executed.

    Of darknet's files, told by their suffix, the parameters have mmdet's names. Of ultralytics' the network is the one
    that was averaged over the training, where there is one.

    Raises:
        ModelError: the file is no checkpoint, or holds more than that, or would take far more memory than its size.
    """
    if path.suffix == DARKNET_SUFFIX:
        return {'state_dict': read_darknet(path)}
    try:
        # Without waiting, as a pipe would for whoever writes into it.
        with open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise pickle.UnpicklingError('it is a device or a pipe')
            checkpoint = torch_file.load(file)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file fails in many ways, in struct, in zipfile and in torch
        reason = clipped(first_line(error).partition('. ')[0])
        if isinstance(error, pickle.UnpicklingError):
            raise ModelError(
                f'{path} is no weight file, or holds more than weights, which is not loaded for safety ({reason}): '
                'save its state_dict alone'
            )
        raise ModelError(f'{path} is cut off or damaged ({reason}): copy it again, or choose another model')
    if not isinstance(checkpoint, dict):
        raise ModelError(
            f'{path} holds {type(checkpoint).__name__}, expected the parameters of a model: choose another file'
        )
    for part in (checkpoint.get(key) for key in ('ema', 'model')):
        if isinstance(part, dict) and set(part) == {'state_dict', 'names'}:  # a network that was saved whole
            return {**checkpoint, **part}
    return checkpoint


def model_parameters(checkpoint: Mapping[str, object], path: Path) -> Dict[str, torch.Tensor]:
    """Find the parameters of a checkpoint, wherever it keeps them, and give them mmdet's names.

    Raises:
        ModelError: there are none, one is not finite or has no name, or they are of a network that is not known.
    """
    parameters = _parameters(checkpoint, path)
    foreign = _layout_of(parameters)
    try:
        return foreign.to_mmdet(parameters) if foreign else parameters
    except ValueError as error:
        raise ModelError(f'{path}: {error}')


def held_model(checkpoint: Mapping[str, object], path: Path) -> Optional[HeldModel]:
    """Find what the parameters of a checkpoint tell of their network; None where a config has to.

    Raises:
        ModelError: as for `model_parameters`.
    """
    parameters = _parameters(checkpoint, path)
    foreign = _layout_of(parameters)
    try:
        return foreign.held_model(parameters) if foreign and foreign.held_model else None
    except ValueError as error:
        raise ModelError(f'{path}: {error}')


def _layout_of(parameters: Mapping[str, torch.Tensor]) -> Optional[WeightLayout]:
    layouts = (layout for family in families.FAMILIES for layout in family.layouts)
    return next((layout for layout in layouts if layout.fits(parameters)), None)


def _parameters(checkpoint: Mapping[str, object], path: Path) -> Dict[str, torch.Tensor]:
    """Find the parameters of a checkpoint under the names that it gives them."""
    held = (checkpoint.get(key) for key in ('state_dict', 'model'))
    checkpoint = next((part for part in held if isinstance(part, dict)), checkpoint)
    parameters = {name: value for name, value in checkpoint.items() if isinstance(value, torch.Tensor)}
    for name, value in parameters.items():
        if not isinstance(name, str):
            raise ModelError(f'{path}: a parameter is called {shown(name)}, expected text: choose another model')
        # In single precision, as the model will hold it.
        if value.is_floating_point() and not torch.isfinite(value.float()).all():
            raise ModelError(
                f'{path}: {clipped(name)} holds numbers that are not finite (NaN or infinity), with which nothing is '
                'found: choose another stage of the training, or train again'
            )
    parameters = {
        name[len('module.') :] if name.startswith('module.') else name: value for name, value in parameters.items()
    }
    # mmdet 2 writes under `ema_backbone_stem...` what stood there before it put the averages in its place.
    not_averaged = {f'ema_{name.replace(".", "_")}' for name in parameters}
    parameters = {name: value for name, value in parameters.items() if name not in not_averaged}
    if not parameters:
        raise ModelError(f'{path} holds no parameters: choose a checkpoint of {families.known_layouts()}')
    return parameters


def class_names_of(checkpoint: Mapping[str, object]) -> Optional[Tuple[str, ...]]:
    """Find the class names in a checkpoint of mmdet 3 or 2 or of ultralytics; None where it holds none."""
    meta = meta_of(checkpoint)
    dataset_meta = meta.get('dataset_meta')
    names = (isinstance(dataset_meta, dict) and dataset_meta.get('classes')) or meta.get('CLASSES')
    names = names or checkpoint.get('names')
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def class_ap_of(checkpoint: Mapping[str, object]) -> Optional[Tuple[float, ...]]:
    """Find COCO's AP of each class in its last validation, in the order of its classes; None where it holds none."""
    names, recorded = class_names_of(checkpoint), meta_of(checkpoint).get(CLASS_AP)
    if names is None or not isinstance(recorded, dict):
        return None
    numbers = [recorded.get(name) for name in names]
    values = tuple(number for number in numbers if isinstance(number, float) and 0 <= number <= 1)
    return values if len(values) == len(names) else None


def meta_of(checkpoint: Mapping[str, object]) -> Mapping[str, object]:
    """Find the facts that a checkpoint of mmdet holds beside its weights; empty where there are none."""
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, dict) else {}


def save_weights(path: Path, parameters: Mapping[str, torch.Tensor], meta: Mapping[str, object]) -> None:
    """Write parameters and plain facts, no optimizer; whole or not at all."""
    parameters = OrderedDict((name, value.detach().cpu()) for name, value in parameters.items())
    content = io.BytesIO()  # a full disk is then an OSError, which torch's own writer makes into something else
    torch.save({'meta': dict(meta), 'state_dict': parameters}, content)
    replace_file(path, content.getvalue())
