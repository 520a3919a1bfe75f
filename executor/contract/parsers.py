"""Parse the values of the platform's web form.

Each parser takes what YAML gave (a number may arrive as '16', a flag as 'True') and returns the typed value, or raises
a ValueError whose text completes the sentence "<key> must be ...".
"""

from __future__ import annotations

import math
import re
from typing import Callable, List, Sequence, Tuple

from executor.contract.shown import shown


def integer(minimum: float = -math.inf, maximum: float = math.inf) -> Callable[[object], int]:
    """Make a parser of whole numbers from `minimum` to `maximum`; 16, '16' and 16.0 are all 16."""
    wanted = 'a whole number' + (f' of at least {minimum}' if minimum > -math.inf else '')
    wanted += f' and at most {maximum}' if maximum < math.inf else ''

    def parse(value: object) -> int:
        number = _to_float(value, wanted, minimum, maximum)
        if not number.is_integer():
            raise ValueError(wanted)
        return int(number)

    return parse


def number(low: float, high: float) -> Callable[[object], float]:
    """Make a parser of numbers in [low, high]."""
    return lambda value: _to_float(value, f'a number from {low:g} to {high:g}', low, high)


def flag(value: object) -> bool:
    """Parse true or false, also as text or as 0 and 1."""
    word = '' if isinstance(value, (dict, list)) else str(value).strip().lower()
    if word in ('true', 'yes', 'on', '1'):
        return True
    if word in ('false', 'no', 'off', '0'):
        return False
    raise ValueError('true or false')


def text(value: object) -> str:
    """Parse text; a number that YAML recognised is taken as it reads."""
    if isinstance(value, (dict, list)):
        raise ValueError('text')
    return str(value).strip()


def choice(*allowed: str) -> Callable[[object], str]:
    """Make a parser of one of the given words."""

    def parse(value: object) -> str:
        word = text(value)
        if word not in allowed:
            raise ValueError('one of ' + ', '.join(allowed) if len(allowed) > 1 else allowed[0])
        return word

    return parse


def texts(value: object) -> Tuple[str, ...]:
    """Parse a list of texts, or one text with commas between them."""
    items = _items(value, 'a list of names')
    if any(isinstance(item, (dict, list)) or item is None for item in items):
        raise ValueError('a list of names')
    return tuple(str(item).strip() for item in items if str(item).strip())


def numbers(value: object) -> Tuple[float, ...]:
    """Parse a list of finite numbers, or one text with commas between them."""
    wanted = "numbers with commas between them, such as '1.0,0.5'"
    # Not `texts`: an empty item must not shift the ones after it.
    return tuple(_to_float(item, wanted) for item in _items(value, wanted))


def patterns(value: object) -> Tuple[str, ...]:
    """Parse regular expressions with commas between them."""
    result = texts(value)
    for pattern in result:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f'regular expressions with commas between them ({shown(pattern)}: {error})')
    return result


def gpu_ids(value: object) -> Tuple[int, ...]:
    """Parse GPU numbers inside the container, '0,1'; nothing means CPU."""
    wanted = "GPU numbers with commas between them, such as '0,1', or empty for CPU"
    ids: List[int] = []
    for item in texts(value):
        if not (item.isascii() and item.isdigit()) or int(item) in ids:
            raise ValueError(wanted)
        ids.append(int(item))
    return tuple(ids)


def _items(value: object, wanted: str) -> Sequence[object]:
    if isinstance(value, dict):
        raise ValueError(wanted)
    return value if isinstance(value, (list, tuple)) else str(value).split(',')


def _to_float(value: object, wanted: str, low: float = -math.inf, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(wanted)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(wanted)
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(wanted)
    return number
