"""Keep a config from outside from naming more than registered parts, and so from making the program run something.

mmengine takes a `type` with a dot for something to import, and mmcv and mmdet evaluate a few words of a config as
Python; so `type='subprocess.Popen'` in a package's config, or in cfg_options, would be a program to run.
"""

from __future__ import annotations

import importlib.util
import re
from typing import AbstractSet, Iterator, Mapping, Tuple

from executor.models.families import registered_names

SCOPES = ('mmdet', 'mmengine', 'mmcv')
_NMS = ('nms', 'soft_nms', 'nms_match')  # mmcv evaluates this word, which no registry has
# Keys that name a file which mmdet runs as Python, or unpickles.
_FILES_THAT_RUN = ('teacher_config', 'proposal_file')
# They evaluate text of their configs as Python.
_EVALUATING = ('RFSearchHook', 'CameraMotionCompensation')


def running_parts(config: Mapping[str, object]) -> Iterator[Tuple[str, object]]:
    """Find every part of a config that could run code, as key and value."""
    names = registered_names().union(_NMS)
    for key, value in _leaves(dict(config.items()), ''):  # mmengine's Config is no mapping
        *parents, name = key.split('.')
        if name in ('type', 'constructor'):
            in_nms = bool(parents) and parents[-1].startswith('nms')
            allowed = _is_registered_name(value, names) and (not in_nms or value in _NMS)
        elif name in ('_scope_', 'default_scope'):
            allowed = value in (None, *SCOPES)
        elif name in _FILES_THAT_RUN:
            allowed = not value
        else:
            continue
        if not allowed:
            yield key, value


def _is_registered_name(value: object, names: AbstractSet[str]) -> bool:
    """Tell whether a registry has it, as `Resize` or `mmdet.Resize`; what none has mmengine would try to import.

    Some words are for mmdet itself, such as `RoIAlign`: harmless where no module has their name.
    """
    if not isinstance(value, str):
        return isinstance(value, type)  # a class that a config of our own imports
    scope, dot, name = value.rpartition('.')
    if name in names:
        return name not in _EVALUATING and (not dot or scope in SCOPES)
    return not dot and re.fullmatch(r'\w+', name) is not None and importlib.util.find_spec(name) is None


def _leaves(value: object, key: str) -> Iterator[Tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f'{key}.{name}' if key else str(name))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _leaves(item, f'{key}.{number}')
    else:
        yield key, value
