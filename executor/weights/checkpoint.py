"""Weights in and out: chosen by what the files say, read as data, matched to the model, written whole."""

from __future__ import annotations

import inspect
import io
import logging
import os
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch

from executor.contract.errors import ModelError
from executor.contract.shown import clipped
from executor.models.yolox import megvii
from executor.weights import restricted_unpickler

logger = logging.getLogger(__name__)

WEIGHT_SUFFIXES = ('.pth', '.pt')
IMAGE_WEIGHTS = Path('/weights')

# Where a config's name stops naming the architecture: yolox_tiny|_8x8_300e_coco, rtmdet_tiny|_8xb32-300e_coco.
_SCHEDULE_PART = re.compile(r'_\d+xb?\d+[_-].*$')
_SAFELY: Dict[str, Any] = {'pickle_module': restricted_unpickler}
if 'weights_only' in inspect.signature(torch.load).parameters:  # torch's own reader, which refuses another
    _SAFELY['weights_only'] = False
_HEADS = ('bbox_head', 'roi_head')


def choose_weights(files: Sequence[Path], config_file: str) -> Optional[Path]:
    """The weights to start from among the files of a model package, else in the image's /weights, else None.

    In /weights the name must begin with the config's architecture.
    """
    best = best_weights(files)
    if best is not None:
        return best
    if files:
        logger.warning('the pretrained model has no %s file: its files are not used', ' or '.join(WEIGHT_SUFFIXES))
    return image_weights(architecture(config_file))


def best_weights(files: Sequence[Path]) -> Optional[Path]:
    """The weight file of a model package, None without one.

    Of several the best counts, then the latest, by the mAP and epoch written inside them; the file's time says nothing,
    since packing and copying change it.
    """
    candidates = [file for file in files if file.suffix in WEIGHT_SUFFIXES]
    return max(candidates, key=_merit) if len(candidates) > 1 else next(iter(candidates), None)


def architecture(config_file: str) -> str:
    """`yolox_tiny` of `configs/yolox/yolox_tiny_8x8_300e_coco.py`."""
    return _SCHEDULE_PART.sub('', Path(config_file).stem)


def image_weights(name: str) -> Optional[Path]:
    """The file below /weights whose name is `name` or goes on after it with `_`, `-` or `.`; first by name."""
    if not IMAGE_WEIGHTS.is_dir():
        return None
    pattern = re.compile(re.escape(name) + r'([_.-].*)?$')
    fitting = (file for file in IMAGE_WEIGHTS.rglob('*') if file.suffix in WEIGHT_SUFFIXES and pattern.match(file.stem))
    return min(fitting, default=None)


def class_names_of(checkpoint: Mapping[str, Any]) -> Optional[Tuple[str, ...]]:
    """The class names that a checkpoint of mmdet 3 or 2 holds, None where it holds none."""
    meta = _meta(checkpoint)
    dataset_meta = meta.get('dataset_meta')
    names = dataset_meta.get('classes') if isinstance(dataset_meta, dict) else None
    names = names or meta.get('CLASSES')
    return tuple(str(name) for name in names) if isinstance(names, (list, tuple)) and names else None


def _meta(checkpoint: Mapping[str, Any]) -> Dict[str, Any]:
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, dict) else {}


def _merit(file: Path) -> Any:
    meta = _meta(read_checkpoint(file))
    numbers = (meta.get(key) for key in ('mAP', 'epoch'))
    return (*(value if isinstance(value, (int, float)) else -1 for value in numbers), file.name)


def read_checkpoint(path: Path) -> Dict[str, Any]:
    """Read a checkpoint as tensors and plain values; nothing in it is executed.

    Raises:
        ModelError: the file is no checkpoint, or holds objects that could run code.
    """
    try:
        if _is_torchscript(path):  # torch.load would run it
            raise pickle.UnpicklingError('it is a TorchScript archive, a program')
        checkpoint = torch.load(str(path), map_location='cpu', **_SAFELY)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f'{path} is no weight file, or holds more than weights, which is not loaded for safety '
            f'({_first_line(error)}): save its state_dict alone'
        )
    except Exception as error:  # a damaged file fails in many ways, in torch, in pickle and in zipfile
        raise ModelError(f'{path} is cut off or damaged ({_first_line(error)}): copy it again, or choose another model')
    if not isinstance(checkpoint, dict):
        raise ModelError(
            f'{path} holds {type(checkpoint).__name__}, expected the parameters of a model: choose another file'
        )
    return checkpoint


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(str(path)):
        return False
    with zipfile.ZipFile(str(path)) as archive:
        return any(name.endswith('/constants.pkl') for name in archive.namelist())


def model_parameters(checkpoint: Mapping[str, Any], path: Path) -> Dict[str, torch.Tensor]:
    """The parameters of a checkpoint under mmdet's names, wherever it keeps them.

    Raises:
        ModelError: there are none.
    """
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), dict):
            checkpoint = checkpoint[key]
            break
    parameters = {
        name[len('module.') :] if name.startswith('module.') else name: value
        for name, value in checkpoint.items()
        if isinstance(value, torch.Tensor)
    }
    if not parameters:
        raise ModelError(f'{path} holds no parameters: choose a checkpoint of mmdet or of Megvii YOLOX')
    return megvii.to_mmdet(parameters) if megvii.is_megvii(parameters) else parameters


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Load the parameters that fit; the head of another class count is left out with a note.

    Raises:
        ModelError: the weights are of another architecture.
    """
    parameters = model_parameters(read_checkpoint(path), path)
    own = model.state_dict()
    fitting = {name: value for name, value in parameters.items() if name in own and value.shape == own[name].shape}
    other_shape = [name for name, value in parameters.items() if name in own and value.shape != own[name].shape]
    missing = [name for name in own if name not in parameters and not name.endswith('num_batches_tracked')]
    left_over = [name for name in parameters if name not in own]
    strange = [name for name in other_shape if not name.startswith(_HEADS)]
    if not fitting or strange or len(fitting) < len(own) / 2:
        raise ModelError(
            f'{path} does not fit the model of config_file: {len(fitting)} of {len(own)} parameters fit'
            + (f', {_first(strange)} has another shape' if strange else '')
            + ': set config_file to the one that these weights were trained with'
        )
    model.load_state_dict(fitting, strict=False)
    logger.info('weights: %s, %d of %d parameters loaded', path, len(fitting), len(own))
    if other_shape:
        logger.info('  left out, made for other classes: %s', ', '.join(other_shape))
    if missing or left_over:
        logger.warning(
            '  %d parameters of the model are not in the file (%s), %d of the file are not in the model (%s)',
            *(len(missing), _first(missing), len(left_over), _first(left_over)),
        )


def save_weights(path: Path, parameters: Mapping[str, torch.Tensor], meta: Mapping[str, Any]) -> None:
    """Write weights for the platform: parameters and plain facts, no optimizer; whole or not at all."""
    parameters = OrderedDict((name, value.detach().cpu()) for name, value in parameters.items())
    content = io.BytesIO()  # a full disk is then an OSError, which torch's own writer makes into something else
    torch.save({'meta': dict(meta), 'state_dict': parameters}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f'.{path.name}')
    try:
        beside.write_bytes(content.getbuffer())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _first_line(error: Exception) -> str:
    return clipped((str(error) or type(error).__name__).splitlines()[0].partition('. ')[0])


def _first(names: List[str]) -> str:
    return (names[0] + (', ...' if len(names) > 1 else '')) if names else 'none'
