"""Take values out of a file that somebody else may have written: each is what it must be, or a ValueError.

The text of the error says where in the file, what must be there, and what was found.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, TypeVar

import torch

from executor.contract.shown import listed, shown

MOST = 2**53  # beyond every count; a float holds each whole number up to it

T = TypeVar('T')
Form = Mapping[str, Callable[[object, str], object]]  # what takes the value under each key of a dict


def wrong(place: str, expected: str, value: object) -> ValueError:
    """Make the error for a value that is not what it must be."""
    return ValueError(f'{place} must be {expected}, found {shown(value)}')


def whole(value: object, place: str, least: int = 0, most: int = MOST) -> int:
    """Take a whole number, which True is not."""
    if type(value) is not int or not least <= value <= most:
        raise wrong(place, f'a whole number from {least} to {most}', value)
    return value


def fraction(value: object, place: str) -> float:
    """Take a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise wrong(place, 'a number from 0 to 1', value)
    return float(value)


def finite(value: object, place: str) -> float:
    """Take a number that is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise wrong(place, 'a finite number', value)
    return float(value)


def text(value: object, place: str) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise wrong(place, 'text', value)
    return value


def flag(value: object, place: str) -> bool:
    """Take True or False."""
    if not isinstance(value, bool):
        raise wrong(place, 'True or False', value)
    return value


def mapping(value: object, place: str) -> Dict[str, Any]:
    """Take a dict whose keys are text."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise wrong(place, 'a dict with text as keys', value)
    return value


def entries(value: object, place: str, form: Form) -> Dict[str, Any]:
    """Take a dict, and of it the keys of a form alone; what is not there counts as None."""
    found = mapping(value, place)
    return {key: take(found.get(key), f'{place}.{key}') for key, take in form.items()}


def each(value: object, place: str, take: Callable[[object, str], T]) -> Tuple[T, ...]:
    """Take a list or a tuple, and each of its elements by `take`."""
    if not isinstance(value, (list, tuple)):
        raise wrong(place, 'a list', value)
    return tuple(take(element, f'{place}[{number}]') for number, element in enumerate(value))


def tensor(value: object, place: str, shape: Optional[torch.Size] = None) -> torch.Tensor:
    """Take a tensor of finite numbers, of this shape where one is given."""
    if not isinstance(value, torch.Tensor):
        raise wrong(place, 'a tensor', value)
    if shape is not None and value.shape != shape:
        raise wrong(place, f'a tensor of the shape {tuple(shape)}', tuple(value.shape))
    if not torch.isfinite(value).all():
        raise ValueError(f'{place} holds numbers that are not finite')
    return value


def same_keys(value: object, known: Mapping[str, object], place: str) -> Dict[str, Any]:
    """Take a dict with the keys of a known one, no more and no less; those of milestones are numbers."""
    found = value if isinstance(value, dict) else mapping(value, place)
    for names, others, what in ((known, found, 'lacks'), (found, known, 'has more than this training:')):
        left = [name for name in names if name not in others]
        if left:
            raise ValueError(f'{place} {what} {len(left)} of {len(names)} ({listed([*map(shown, left)], 1)})')
    return found


def like(value: object, known: object, place: str) -> None:
    """Check that a value is of the form of a known one: the same keys, lengths, shapes and types, numbers finite.

    Where `known` has None, any flag or number does; text is the name of a setting, and must be the same.
    """
    if isinstance(known, dict):
        found = same_keys(value, known, place)
        for key, one in known.items():
            like(found[key], one, f'{place}.{key}')
    elif isinstance(known, (list, tuple)):
        elements = each(value, place, lambda element, _: element)
        if len(elements) != len(known):
            raise ValueError(f'{place} has {len(elements)} elements where this training has {len(known)}')
        for number, (element, one) in enumerate(zip(elements, known)):
            like(element, one, f'{place}[{number}]')
    elif isinstance(known, torch.Tensor):
        tensor(value, place, known.shape)
    elif not _fits(value, known):
        raise wrong(place, f'such as {shown(known)}', value)


def _fits(value: object, known: object) -> bool:
    if value is None or isinstance(known, str):
        return value == known
    if isinstance(value, bool):
        return known is None or isinstance(known, bool)
    return isinstance(value, (int, float)) and not isinstance(known, bool) and abs(value) <= MOST  # which NaN is not
