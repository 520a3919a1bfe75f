"""Parse the values of the platform's web form.

Each parser takes what YAML gave (a number may arrive as '16', a flag as 'True') and returns the typed value, or raises
a ValueError whose text completes the sentence "<key> must be ...". All values pass `text`, but for true and false of a
flag: so text and numbers are taken, alone or in a list, and nothing else that YAML makes (dates, bytes, sets).
"""

from __future__ import annotations

import re
from typing import Callable, List, Sequence, Tuple

from executor.contract.shown import shown

_LONGEST_TEXT = 2**16  # characters; the platform's form takes 100
_MOST_ITEMS = 10_000

WHOLE_BACKBONE = 'backbone'  # what `frozen` calls all of it

# Beyond every machine and every run: a slip of the keyboard should not fill the memory, or a century, first.
_MOST_SAMPLES, _MOST_WORKERS, _MOST_GPUS, MOST_EPOCHS = 4096, 256, 1024, 100_000
_MOST_SEED = 2**32 - 1  # what numpy takes
_LEAST_SIDE, _MOST_SIDE = 32, 8192  # of a network's input, in pixels
_LEAST_RATE, _LARGEST_RATE = 1e-12, 100.0
_LARGEST = 2**53  # of a whole number, beyond which a float is not exact


def integer(minimum: int, maximum: int = _LARGEST) -> Callable[[object], int]:
    """Make a parser of whole numbers from `minimum` to `maximum`; 16, '16' and 16.0 are all 16."""
    wanted = f'a whole number of at least {minimum}' + (f' and at most {maximum}' if maximum < _LARGEST else '')

    def parse(value: object) -> int:
        return _whole(value, wanted, minimum, maximum)

    return parse


samples, gpu_count = integer(1, _MOST_SAMPLES), integer(0, _MOST_GPUS)
epochs, seed = integer(1, MOST_EPOCHS), integer(0, _MOST_SEED)
_count_workers = integer(0, _MOST_WORKERS)


def workers(value: object) -> int:
    """Parse a number of processes; the word none is 0."""
    return 0 if value == 'none' else _count_workers(value)


def frozen(value: object) -> str:
    """Parse how much of a backbone stays as it is: none, all of it, or a number of stages."""
    wanted = 'none, backbone, or a number of stages, a whole number of at least 1'
    word = text(value, wanted)
    return word if word in ('none', WHOLE_BACKBONE) else str(_whole(word, wanted, 1, _LARGEST))


def sides(value: object) -> Tuple[int, ...]:
    """Parse the size of a network's input: one side, or width and height."""
    wanted = (
        f'a whole number of pixels from {_LEAST_SIDE} to {_MOST_SIDE}, such as 640, or width and height with a comma '
        "between them, such as '512,320'"
    )
    items = _items(value, wanted)
    if len(items) > 2:
        raise ValueError(wanted)
    return tuple(_whole(item, wanted, _LEAST_SIDE, _MOST_SIDE) for item in items)


def number(low: float, high: float) -> Callable[[object], float]:
    """Make a parser of numbers in [low, high]."""
    return lambda value: _to_float(value, f'a number from {low:g} to {high:g}', low, high)


learning_rate = number(_LEAST_RATE, _LARGEST_RATE)


def flag(value: object) -> bool:
    """Parse true or false, also as text or as 0 and 1."""
    word = str(value) if isinstance(value, bool) else text(value, 'true or false')
    if word.lower() in ('true', 'yes', 'on', '1'):
        return True
    if word.lower() in ('false', 'no', 'off', '0'):
        return False
    raise ValueError('true or false')


def text(value: object, wanted: str = 'text', longest: int = _LONGEST_TEXT) -> str:
    """Parse text; a number that YAML recognised is taken as it reads."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(wanted)
    if isinstance(value, str) and len(value) > longest:
        raise ValueError(f'{wanted} of at most {longest} characters')
    return str(value).strip()


def choice(*allowed: str) -> Callable[[object], str]:
    """Make a parser of one of the given words; `on` and `off` without quotes are true and false in YAML."""
    wanted = 'one of ' + ', '.join(allowed) if len(allowed) > 1 else allowed[0]

    def parse(value: object) -> str:
        word = ('on' if value else 'off') if isinstance(value, bool) else text(value, wanted)
        if word not in allowed:
            raise ValueError(wanted)
        return word

    return parse


def texts(value: object) -> Tuple[str, ...]:
    """Parse a list of texts, or one text with commas between them; empty ones are left out."""
    wanted = "a list of names, in quotation marks where YAML takes one for something else ('no', '2024-01-01')"
    return tuple(filter(None, _items(value, wanted)))


def numbers(low: float, high: float) -> Callable[[object], Tuple[float, ...]]:
    """Make a parser of a list of numbers in [low, high], or of one text with commas between them."""
    wanted = f"numbers from {low:g} to {high:g} with commas between them, such as '1.0,0.5'"
    # Not `texts`: an empty item must not shift the ones after it.
    return lambda value: tuple(_to_float(item, wanted, low, high) for item in _items(value, wanted))


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
    for item in filter(None, _items(value, wanted)):
        if not (item.isascii() and item.isdigit()) or len(item) > 4 or int(item) in ids:
            raise ValueError(wanted)
        ids.append(int(item))
    return tuple(ids)


def _items(value: object, wanted: str) -> Sequence[str]:
    items = value if isinstance(value, list) else text(value, wanted).split(',')
    if len(items) > _MOST_ITEMS:
        raise ValueError(f'{wanted}, at most {_MOST_ITEMS}')
    return [text(item, wanted) for item in items]


def _whole(value: object, wanted: str, low: float, high: float) -> int:
    number = _to_float(value, wanted, low, high)
    if not number.is_integer():
        raise ValueError(wanted)
    return int(number)


def _to_float(value: object, wanted: str, low: float, high: float) -> float:
    try:
        number = float(text(value, wanted))
    except (ValueError, OverflowError):
        raise ValueError(wanted)
    if not low <= number <= high:  # nor what is no number
        raise ValueError(wanted)
    return number
