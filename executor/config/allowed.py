"""That a config from outside can only name what mmdet registers, never make the program run something else.

mmengine takes a `type` with a dot for something to import, and mmcv and mmdet evaluate a few words of a config as
Python; so `type='subprocess.Popen'` in a package's config, or in cfg_options, would be a program to run.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from typing import Any, FrozenSet, Iterator, Mapping, Tuple

import mmdet.registry
import mmengine.registry
from mmdet.utils import register_all_modules
from mmengine.registry import Registry

SCOPES = ('mmdet', 'mmengine', 'mmcv')
# They evaluate text of their configs as Python.
_NMS = ('nms', 'soft_nms', 'nms_match')  # mmcv evaluates this word, too
_OURS = ('YmirDataset', 'DetectionMetric')
# Keys that name a file which mmdet runs as Python, or unpickles.
_FILES_THAT_RUN = ('teacher_config', 'proposal_file')
_EVALUATING = ('RFSearchHook', 'CameraMotionCompensation')


def running_parts(config: Mapping[str, Any]) -> Iterator[Tuple[str, Any]]:
    """Key and value of every part of a config that could run code."""
    for key, value in _leaves(dict(config.items()), ''):  # mmengine's Config is no mapping
        *parents, name = key.split('.')
        if name in ('type', 'constructor'):
            allowed = _is_registered_name(value) and (not parents or _is_allowed_nms(parents[-1], value))
        elif name in ('_scope_', 'default_scope'):
            allowed = value in (None, *SCOPES)
        elif name in _FILES_THAT_RUN:
            allowed = not value
        else:
            continue
        if not allowed:
            yield key, value


def _is_allowed_nms(parent: str, value: Any) -> bool:
    return not parent.startswith('nms') or value in _NMS


def _is_registered_name(value: Any) -> bool:
    """Whether a registry has it, as `Resize` or `mmdet.Resize`; what none has mmengine would try to import.

    Some words are for mmdet itself, such as `RoIAlign`: harmless where no module has their name.
    """
    if not isinstance(value, str):
        return isinstance(value, type)  # a class that a config of our own imports
    scope, dot, name = value.rpartition('.')
    if name in registered_names():
        return name not in _EVALUATING and (not dot or scope in SCOPES)
    return not dot and re.fullmatch(r'\w+', name) is not None and importlib.util.find_spec(name) is None


@functools.lru_cache(maxsize=None)
def registered_names() -> FrozenSet[str]:
    """Every name of every registry of mmengine, mmcv and mmdet, and ours."""
    register_all_modules(init_default_scope=False)
    rooms = (vars(mmengine.registry), vars(mmdet.registry))
    registries = [value for room in rooms for value in room.values() if isinstance(value, Registry)]
    return frozenset(name for registry in registries for name in registry.module_dict) | {*_OURS, *_NMS}


def _leaves(value: Any, key: str) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f'{key}.{name}' if key else str(name))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _leaves(item, f'{key}.{number}')
    else:
        yield key, value
