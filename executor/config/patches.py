"""Change mmengine where it would do more than read data, or more than we need.

Every patch of mmengine and mmdet stands here, and says where it was seen and why it is needed. All of them were seen in
mmengine 0.10.4 and in onedl-mmengine 0.10.12, or in mmcv 2.1.0 and mmdet 3.3.0 and their successors of onedl.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, NoReturn, Tuple, TypeVar, Union

import mmcv.image.geometric
import mmdet.datasets.transforms.transforms
import mmengine.hooks.runtime_info_hook
import mmengine.registry.registry
import mmengine.runner.runner
from mmengine.config import Config
from mmengine.fileio.backends import LocalBackend
from mmengine.fileio.backends.registry_utils import backends, prefix_to_backends
from mmengine.fileio.file_client import FileClient
from mmengine.fileio.handlers.registry_utils import file_handlers
from mmengine.registry import DATASETS, HOOKS, TASK_UTILS
from mmengine.runner.checkpoint import CheckpointLoader
from numpy.typing import NDArray

from executor.config.allowed import HOOKS as ALLOWED_HOOKS
from executor.config.allowed import OUR_DATASET, WRAPPERS
from executor.config.find import is_trusted
from executor.config.places import SCOPES
from executor.contract.errors import ModelError
from executor.models.families import model_part_names
from executor.weights.checkpoint import Checkpoint, read_checkpoint

T = TypeVar('T')

# What mmengine's Runner registers by itself.
_RUNNERS_HOOKS = (
    *('CheckpointHook', 'DistSamplerSeedHook', 'IterTimerHook', 'LoggerHook', 'ParamSchedulerHook', 'RuntimeInfoHook'),
)

_SCHEMES = [
    *('http://', 'https://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://'),
    *('torchvision://', 'modelzoo://', 'open-mmlab://', 'openmmlab://', 'mmcls://'),
]


def patch() -> None:
    """Apply every patch; once more changes nothing."""
    # mmengine's `load_from_local` unpickles, which runs what a file holds.
    CheckpointLoader.register_scheme('', loader=load_from_data, force=True)
    # mmengine would download from addresses, and without a network that only ends after a time-out.
    CheckpointLoader.register_scheme(_SCHEMES, loader=_refuse, force=True)
    # For a `type` with dots, `Registry.get` would import the module before the first dot, and then the whole name where
    # no registry has it. What is not allowed does not come this far.
    mmengine.registry.registry.get_object_from_string = lambda name: None
    mmengine.registry.registry.import_module = _import_known
    # A backend may fetch from elsewhere, or import what a config names: that for local files is left, in the tables of
    # today's functions and of the older class. A handler may unpickle, or build the objects that a YAML file names.
    for known in (backends, FileClient._backends):
        _keep_only(known, lambda name, backend: issubclass(backend, LocalBackend))
    for prefixes in (prefix_to_backends, FileClient._prefix_to_backends):
        _keep_only(prefixes, lambda prefix, backend: prefix == '')
    _keep_only(file_handlers, lambda suffix, handler: suffix == 'json')
    # Some of mmdet's datasets unpickle by themselves, and some hooks and helpers of trackers evaluate text as Python.
    kept = ((DATASETS, (*WRAPPERS, OUR_DATASET)), (HOOKS, (*ALLOWED_HOOKS, *_RUNNERS_HOOKS)))
    for root, names in (*kept, (TASK_UTILS, model_part_names())):
        for registry in (root, *root.children.values()):
            for name in set(registry.module_dict).difference(names):
                del registry.module_dict[name]
    # A config is Python that runs; mmdet reads that of a teacher, say, by itself.
    Config.fromfile = staticmethod(_config_of_the_image)
    # Of an image thinner than the ratio allows, mosaic, mixup and `Resize` would leave no pixel, on which OpenCV fails;
    # one stays, as in `Letterbox`.
    mmcv.imresize = mmcv.image.imresize = mmcv.image.geometric.imresize = _keep_a_pixel
    mmdet.datasets.transforms.transforms.imresize = _keep_a_pixel
    # A flipped line of pixels is in order for numpy, but torch takes none that runs backwards.
    mmcv.imflip = mmcv.image.imflip = mmcv.image.geometric.imflip = _flip_forwards
    # `Runner` asks compilers and git, of which the image has none, for a log and facts that are not kept.
    mmengine.runner.runner.collect_env = dict
    mmengine.runner.runner.get_git_hash = mmengine.hooks.runtime_info_hook.get_git_hash = str


_imresize, _imflip = mmcv.image.geometric.imresize, mmcv.image.geometric.imflip


def _flip_forwards(img: NDArray[Any], *arguments: Any, **named: Any) -> NDArray[Any]:
    flipped: NDArray[Any] = _imflip(img, *arguments, **named)
    return flipped.copy() if 1 in flipped.shape[:2] else flipped


def _keep_a_pixel(img: NDArray[Any], size: Tuple[int, int], *arguments: Any, **named: Any) -> Any:
    return _imresize(img, (max(1, size[0]), max(1, size[1])), *arguments, **named)


def load_from_data(filename: str, map_location: object = None) -> Checkpoint:  # mmengine logs what follows `load_from_`
    return read_checkpoint(Path(filename))


def _refuse(filename: str, map_location: object = None) -> NoReturn:
    raise ModelError(f'{filename}: the image works without a network: name a file that the container sees')


_read_config = Config.fromfile


def _config_of_the_image(filename: Union[str, Path], *args: object, **kwargs: object) -> Config:
    if not is_trusted(Path(filename)):
        raise ModelError(f'{filename} is not run: name a config of this image')
    return _read_config(filename, *args, **kwargs)


def _keep_only(table: Dict[str, T], keep: Callable[[str, T], bool]) -> None:
    for name in [name for name, value in table.items() if not keep(name, value)]:
        del table[name]


def _import_known(name: str) -> ModuleType:
    if name.partition('.')[0] not in SCOPES:
        raise ImportError(name)
    return importlib.import_module(name)
