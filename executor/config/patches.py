"""mmengine as a reader of data: what a config or a file names is never imported, run or fetched."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, NoReturn

import mmengine.registry.registry
from mmengine.runner.checkpoint import CheckpointLoader

from executor.contract.errors import ModelError
from executor.weights.checkpoint import read_checkpoint
from executor.config.allowed import SCOPES

_SCHEMES = ('http://', 'https://', 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'modelzoo://', 'torchvision://')
_SCHEMES += ('open-mmlab://', 'openmmlab://', 'mmcls://')


def seal() -> None:
    """Close the ways on which mmengine would do more than read; what `plain_config` refuses does not come this far."""
    CheckpointLoader.register_scheme('', loader=_read, force=True)
    CheckpointLoader.register_scheme(list(_SCHEMES), loader=_refuse, force=True)
    # A `type` with a dot would be imported where no registry has it, and its first word even before that is known.
    mmengine.registry.registry.get_object_from_string = _nothing
    mmengine.registry.registry.import_module = _import_known


def _read(filename: str, map_location: Any = None) -> Any:
    return read_checkpoint(Path(filename))


def _refuse(filename: str, map_location: Any = None) -> NoReturn:
    raise ModelError(f'{filename}: the image works without a network: name a file that the container sees')


def _nothing(name: str) -> None:
    return None


def _import_known(name: str) -> Any:
    if name.partition('.')[0] not in SCOPES:
        raise ImportError(name)
    return importlib.import_module(name)
