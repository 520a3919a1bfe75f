"""Values of the platform's web form made into Python values.

Each function takes what YAML gave (a number may arrive as '16', a flag as 'True') and returns the typed value, or
raises ValueError whose text completes the sentence "<key> must be ...".
"""

from __future__ import annotations

import math
import re
from typing import Any, Callable, Optional, Tuple

from executor.contract.shown import shown


def integer(minimum: Optional[int] = None, maximum: Optional[int] = None) -> Callable[[Any], int]:
    """A whole number from `minimum` to `maximum`; 16, '16' and 16.0 are all 16."""
    wanted = 'a whole number' + (f' of at least {minimum}' if minimum is not None else '')
    wanted += f' and at most {maximum}' if maximum is not None else ''

    def parse(value: Any) -> int:
        number = _to_float(value, wanted)
        if number != int(number) or (minimum is not None and number < minimum):
            raise ValueError(wanted)
        if maximum is not None and number > maximum:
            raise ValueError(wanted)
        return int(number)

    return parse


def number(low: float, high: float) -> Callable[[Any], float]:
    """A number in [low, high]."""
    wanted = f'a number from {low:g} to {high:g}'

    def parse(value: Any) -> float:
        result = _to_float(value, wanted)
        if not low <= result <= high:
            raise ValueError(wanted)
        return result

    return parse


def flag(value: Any) -> bool:
    """True or false, also as text or as 0 and 1."""
    word = '' if isinstance(value, (dict, list)) else str(value).strip().lower()
    if word in ('true', 'yes', 'on', '1'):
        return True
    if word in ('false', 'no', 'off', '0'):
        return False
    raise ValueError('true or false')


def text(value: Any) -> str:
    """Text; a number that YAML recognised is taken as it reads."""
    if isinstance(value, (dict, list)):
        raise ValueError('text')
    return str(value).strip()


def choice(*allowed: str) -> Callable[[Any], str]:
    """One of the given words."""

    def parse(value: Any) -> str:
        word = text(value)
        if word not in allowed:
            raise ValueError('one of ' + ', '.join(allowed) if len(allowed) > 1 else allowed[0])
        return word

    return parse


def texts(value: Any) -> Tuple[str, ...]:
    """A list of texts, or one text with commas between them."""
    if isinstance(value, dict):
        raise ValueError('a list of names')
    items = value if isinstance(value, (list, tuple)) else str(value).split(',')
    if any(isinstance(item, (dict, list)) or item is None for item in items):
        raise ValueError('a list of names')
    return tuple(str(item).strip() for item in items if str(item).strip())


def numbers(value: Any) -> Tuple[float, ...]:
    """A list of finite numbers, or one text with commas between them."""
    wanted = "numbers with commas between them, such as '1.0,0.5'"
    # Not `texts`: an empty item must not shift the ones after it.
    if isinstance(value, dict):
        raise ValueError(wanted)
    items = value if isinstance(value, (list, tuple)) else str(value).split(',')
    return tuple(_to_float(item, wanted) for item in items)


def patterns(value: Any) -> Tuple[str, ...]:
    """Regular expressions with commas between them."""
    result = texts(value)
    for pattern in result:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f'regular expressions with commas between them ({shown(pattern)}: {error})')
    return result


def gpu_ids(value: Any) -> Tuple[int, ...]:
    """GPU numbers inside the container, '0,1'; nothing means CPU."""
    wanted = "GPU numbers with commas between them, such as '0,1', or empty for CPU"
    ids = []
    for item in texts(value):
        if not (item.isascii() and item.isdigit()) or int(item) in ids:
            raise ValueError(wanted)
        ids.append(int(item))
    return tuple(ids)


def _to_float(value: Any, wanted: str) -> float:
    if isinstance(value, bool):
        raise ValueError(wanted)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(wanted)
    if not math.isfinite(number):
        raise ValueError(wanted)
    return number
