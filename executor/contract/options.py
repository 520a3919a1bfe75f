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
from typing import Dict, List, NoReturn, Optional, Tuple

RESUME_LATEST = 'latest'  # the value of `--resume` without a file

_FLAGS = (
    '--amp, --auto-scale-lr, --resume [FILE], --seed N, --deterministic, --no-validate, --cfg-options KEY=VALUE [...]'
)
_MOST_BRACKETS = 20  # more than any config has


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
    if isinstance(value, (dict, list)):
        raise ValueError('text of the form key=value key2.sub=value2')
    return dict(_key_value(item) for item in _split(str(value)))


def train_args(value: object) -> TrainArgs:
    """Parse the flags of a training; the message of a wrong one lists all."""
    if isinstance(value, (dict, list)):
        raise ValueError(f'text with flags out of {_FLAGS}')
    parser = _FlagParser(add_help=False, allow_abbrev=False)
    for flag in ('--amp', '--auto-scale-lr', '--deterministic', '--no-validate'):
        parser.add_argument(flag, action='store_true')
    parser.add_argument('--resume', nargs='?', const=RESUME_LATEST)
    parser.add_argument('--seed', type=_seed)
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[])
    try:
        known, unknown = parser.parse_known_args(_split(str(value)))
        if unknown:
            raise ValueError(f'unknown: {" ".join(unknown)}')
        known.cfg_options = dict(_key_value(item) for item in known.cfg_options)
    except ValueError as error:
        raise ValueError(f'flags out of {_FLAGS} ({error})')
    known.resume = _unquoted(known.resume) if known.resume else None
    return TrainArgs(**vars(known))


class _FlagParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _seed(text: str) -> int:
    if not text.isdigit() or int(text) >= 2**32:  # what numpy takes
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number from 0 to {2**32 - 1}')
    return int(text)


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
        raise ValueError(f'text of the form key=value key2.sub=value2; {item!r} is not')
    return key, _value(value)


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
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    if text == 'None':  # exactly so, as in mmengine: `reduction=none` is a word
        return None
    return {'true': True, 'false': False}.get(text.lower(), text)
