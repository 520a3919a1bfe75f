"""That a config from outside can only name what mmdet registers, never make the program run something else.

mmengine takes a `type` with a dot for something to import, and mmcv and mmdet evaluate a few words of a config as
Python; so `type='subprocess.Popen'` in a package's config, or in cfg_options, would be a program to run.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Tuple

_SCOPES = ('mmdet', 'mmengine', 'mmcv')
# They evaluate text of their configs as Python.
_NMS = ('nms', 'soft_nms', 'nms_match')  # mmcv evaluates this word, too
_EVALUATING = ('RFSearchHook', 'CameraMotionCompensation')


def running_parts(config: Mapping[str, Any]) -> Iterator[Tuple[str, Any]]:
    """Key and value of every part of a config that could run code."""
    for key, value in _leaves(dict(config.items()), ''):  # mmengine's Config is no mapping
        *parents, name = key.split('.')
        if name in ('type', 'constructor'):
            allowed = _is_registered_name(value) and (not parents or _is_allowed_nms(parents[-1], value))
        elif name in ('_scope_', 'default_scope'):
            allowed = value in (None, *_SCOPES)
        else:
            continue
        if not allowed:
            yield key, value


def _is_allowed_nms(parent: str, value: Any) -> bool:
    return not parent.startswith('nms') or value in _NMS


def _is_registered_name(value: Any) -> bool:
    """Whether it is a name as the registries have them: `Resize` or `mmdet.Resize`."""
    if not isinstance(value, str):
        return isinstance(value, type)  # a class that a config of our own imports
    scope, dot, name = value.rpartition('.')
    return name.isidentifier() and name not in _EVALUATING and (not dot or scope in _SCOPES)


def _leaves(value: Any, key: str) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f'{key}.{name}' if key else str(name))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _leaves(item, f'{key}.{number}')
    else:
        yield key, value
