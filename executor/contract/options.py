"""Parse the two free-text parameters: `cfg_options` (changes to mmengine's config) and `args_options` (training flags).

`cfg_options` has mmengine's form, `key.sub=value other.0.key=[1,2]`, and is read here without mmengine, so that a
typing error is reported before torch is imported. Values are data only: numbers, true/false, None, text, lists, tuples.
The text of a ValueError completes the sentence "<key> must be ...".
"""

from __future__ import annotations

import argparse
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Callable, Dict, List, NoReturn, Optional, Tuple

from executor.contract import parsers
from executor.contract.shown import clipped, shown

RESUME_LATEST = 'latest'  # the value of `--resume` without a file

_FLAGS = (
    '--amp, --auto-scale-lr, --resume [FILE], --seed N, --deterministic, --no-validate, --cfg-options KEY=VALUE [...]'
)
_MOST_BRACKETS = 20  # more than any config has
_LARGEST = 3.4e38  # of a number: what the single precision of a network holds

# What mmengine and mmdet count with, by the last word of the key: a 0 would end in a division deep inside a run.
_count, _rate = parsers.integer(1), parsers.number(1e-12, 1e32)
_NUMBERS: Dict[str, Callable[[object], object]] = {
    **{'max_epochs': parsers.epochs, 'val_interval': parsers.epochs},
    **{'batch_size': parsers.samples, 'num_workers': parsers.workers, 'seed': parsers.seed, 'lr': _rate},
    **{'interval': _count, 'max_iters': _count, 'T_max': _count, 'window_size': _count, 'prefetch_factor': _count},
    **{'accumulative_counts': _count, 'base_batch_size': _count},
}


@dataclass(frozen=True)
class TrainArgs:
    """The flags of `args_options`. `resume` is None, RESUME_LATEST, or the file to resume from."""

    amp: bool = False
    auto_scale_lr: bool = False
    resume: Optional[str] = None
    seed: Optional[int] = None
    deterministic: bool = False
    no_validate: bool = False
    cfg_options: Dict[str, object] = field(default_factory=dict)


def cfg_options(value: object) -> Dict[str, object]:
    """Parse `'a.b=1 c=[1,2]'` into a dict from dotted key to value, in order."""
    return dict(_key_value(item) for item in _split(parsers.text(value, 'text of the form key=value key2.sub=value2')))


def train_args(value: object) -> TrainArgs:
    """Parse the flags of a training; the message of a wrong one lists all."""
    given = parsers.text(value, f'text with flags out of {_FLAGS}')
    parser = _FlagParser(add_help=False, allow_abbrev=False)
    for flag in ('--amp', '--auto-scale-lr', '--deterministic', '--no-validate'):
        parser.add_argument(flag, action='store_true')
    parser.add_argument('--resume', nargs='?', const=RESUME_LATEST)
    parser.add_argument('--seed', type=_seed)
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[])
    try:
        known, unknown = parser.parse_known_args(_split(given))
        if unknown:
            raise ValueError(f'unknown: {" ".join(unknown)}')
        known.cfg_options = dict(_key_value(item) for item in known.cfg_options)
    except ValueError as error:
        raise ValueError(f'flags out of {_FLAGS} ({clipped(str(error))})')
    known.resume = _unquoted(known.resume) if known.resume else None
    return TrainArgs(**vars(known))


class _FlagParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _seed(text: str) -> int:
    try:
        return parsers.seed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{shown(text)} is not {error}')


def _split(text: str) -> List[str]:
    """Split a text at its blanks, but for those inside brackets or quotes: `a=[1, 2]`, `a='x y'`."""
    words, word, depth, quote = [], '', 0, ''
    for char in text + ' ':
        if quote:
            quote = '' if char == quote else quote
        elif char in '\'"' and word[-1:] in ('', '=', ',', '(', '[', ' '):  # elsewhere it is an apostrophe: it's
            quote = char
        else:
            depth += (char in '([') - (char in ')]')
        if depth < 0:
            break
        if not char.isspace() or quote or depth:
            word += char
        elif word:
            words.append(word)
            word = ''
    if quote:
        raise ValueError('text with closed quotation marks')
    if depth:
        raise ValueError('text with balanced brackets')
    return words


def _key_value(item: str) -> Tuple[str, object]:
    key, equals, value = item.partition('=')
    if not equals or not re.fullmatch(r'[\w-]+(\.[\w-]+)*', key):
        raise ValueError(f'text of the form key=value key2.sub=value2; {shown(item)} is not')
    number = _NUMBERS.get(key.rpartition('.')[2])
    if number is None:
        return key, _value(value)
    try:
        return key, number(_value(value))
    except ValueError as error:
        raise ValueError(f'text in which {clipped(key)} is {error}; {shown(value)} is not')


def _value(text: str, depth: int = 0) -> object:
    """Parse a value in mmengine's notation: `1,2` and `[1,2]` are lists, `(1,2)` a tuple, elements may nest.

    Quotation marks around it fall away first, as in mmengine: `"[1,2]"` is a list too.
    """
    if depth > _MOST_BRACKETS:
        raise ValueError(f'text with at most {_MOST_BRACKETS} brackets inside each other')
    text = _unquoted(text.strip())
    parts = _elements(text)
    if len(parts) == 1 and text[:1] == '(' and text[-1:] == ')':
        return tuple(_value(part, depth + 1) for part in _elements(text[1:-1]))
    if len(parts) == 1 and text[:1] == '[' and text[-1:] == ']':
        return [_value(part, depth + 1) for part in _elements(text[1:-1])]
    return [_value(part, depth + 1) for part in parts] if len(parts) > 1 or text.endswith(',') else _scalar(text)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in '\'"' else text


def _elements(text: str) -> List[str]:
    parts, depth, start = [], 0, 0
    for position, char in enumerate(text):
        depth += (char in '([') - (char in ')]')
        if char == ',' and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if text[start:].strip():
        parts.append(text[start:])
    return parts


def _scalar(text: str) -> object:
    try:
        number = float(text)  # which takes no time, unlike a whole number of many digits
    except ValueError:
        # None exactly so, as in mmengine: `reduction=none` is a word.
        return None if text == 'None' else {'true': True, 'false': False}.get(text.lower(), text)
    if not abs(number) <= _LARGEST and text.lstrip('+-').lower() not in ('inf', 'infinity'):
        raise ValueError(f'text with numbers up to {_LARGEST:g}; {shown(text)} is not')
    with suppress(ValueError):
        return int(text)
    return number
