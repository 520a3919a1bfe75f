"""Read checkpoints as data, find in them the parameters, class names and other facts of a model, and write weights."""

from __future__ import annotations

import inspect
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

import torch

from executor.contract.errors import ModelError
from executor.contract.output.files import replace_file
from executor.contract.shown import clipped, first_line
from executor.models import families
from executor.weights import restricted_unpickler

Checkpoint = Dict[str, Any]  # tensors and plain values, nested

_SAFELY: Dict[str, object] = {'pickle_module': restricted_unpickler}
if 'weights_only' in inspect.signature(torch.load).parameters:  # torch's own reader, which refuses another
    _SAFELY['weights_only'] = False


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint as tensors and plain values; nothing in it is executed.

    Raises:
        ModelError: the file is no checkpoint, or holds objects that could run code.
    """
    try:
        if _is_torchscript(path):  # torch.load would run it
            raise pickle.UnpicklingError('it is a TorchScript archive, a program')
        checkpoint: object = torch.load(str(path), map_location='cpu', **_SAFELY)
    except Exception as error:  # a damaged file fails in many ways, in torch, in pickle and in zipfile
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
    return checkpoint


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith('/constants.pkl') for name in archive.namelist())


def model_parameters(checkpoint: Mapping[str, object], path: Path) -> Dict[str, torch.Tensor]:
    """Find the parameters of a checkpoint, wherever it keeps them, and give them mmdet's names.

    Raises:
        ModelError: there are none.
    """
    held = (checkpoint.get(key) for key in ('state_dict', 'model'))
    checkpoint = next((part for part in held if isinstance(part, dict)), checkpoint)
    parameters = {
        name[len('module.') :] if name.startswith('module.') else name: value
        for name, value in checkpoint.items()
        if isinstance(value, torch.Tensor)
    }
    layouts = [layout for family in families.FAMILIES for layout in family.layouts]
    if not parameters:
        known = ' or of '.join(['mmdet', *(layout.name for layout in layouts)])
        raise ModelError(f'{path} holds no parameters: choose a checkpoint of {known}')
    foreign = next((layout for layout in layouts if layout.fits(parameters)), None)
    return foreign.to_mmdet(parameters) if foreign else parameters


def class_names_of(checkpoint: Mapping[str, object]) -> Optional[Tuple[str, ...]]:
    """Find the class names in a checkpoint of mmdet 3 or 2; None where it holds none."""
    meta = meta_of(checkpoint)
    dataset_meta = meta.get('dataset_meta')
    names = (isinstance(dataset_meta, dict) and dataset_meta.get('classes')) or meta.get('CLASSES')
    return tuple(str(name) for name in names) if isinstance(names, (list, tuple)) and names else None


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
