"""Change mmengine where it would do more than read data, or more than we need.

Every patch of mmengine and mmdet stands here, and says where it was seen and why it is needed. All of them were seen in
mmengine 0.10.4 and in onedl-mmengine 0.10.12; mmdet needs none.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import mmengine.registry.registry
import mmengine.runner.runner
from mmengine.runner.checkpoint import CheckpointLoader

from executor.config.read import SCOPES
from executor.contract.errors import ModelError
from executor.weights.checkpoint import Checkpoint, read_checkpoint

_SCHEMES = [
    *('http://', 'https://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://'),
    *('torchvision://', 'modelzoo://', 'open-mmlab://', 'openmmlab://', 'mmcls://'),
]


def patch() -> None:
    """Apply every patch; once more changes nothing."""
    # mmengine's `load_from_local` unpickles, which runs what a file holds.
    CheckpointLoader.register_scheme('', loader=_read_as_data, force=True)
    # mmengine would download from addresses, and without a network that only ends after a time-out.
    CheckpointLoader.register_scheme(_SCHEMES, loader=_refuse, force=True)
    # For a `type` with dots, `Registry.get` would import the module before the first dot, and then the whole name where
    # no registry has it. What `running_parts` refuses does not come this far.
    mmengine.registry.registry.get_object_from_string = lambda name: None
    mmengine.registry.registry.import_module = _import_known
    # `Runner` asks compilers, of which the image has none, for a log that is not kept.
    mmengine.runner.runner.collect_env = dict


def _read_as_data(filename: str, map_location: object = None) -> Checkpoint:
    return read_checkpoint(Path(filename))


def _refuse(filename: str, map_location: object = None) -> NoReturn:
    raise ModelError(f'{filename}: the image works without a network: name a file that the container sees')


def _import_known(name: str) -> ModuleType:
    if name.partition('.')[0] not in SCOPES:
        raise ImportError(name)
    return importlib.import_module(name)
