"""Build the places of a config, each of which finds what may not stand there: sections, parts with a type, values.

A value is a number, true, false, None or a word: never a path, an address or an expression.
"""

from __future__ import annotations

import re
from typing import Callable, Container, Dict, Iterator, Mapping, NamedTuple

SCOPES = ('mmdet', 'mmengine', 'mmcv')  # that may stand before the name of a type, as in `mmdet.Resize`


class Refused(NamedTuple):
    """A part of a config that is not allowed, and what would be."""

    key: str  # dotted
    value: object
    wanted: str  # completes the sentence "<key> must be ..."


Place = Callable[[str, object], Iterator[Refused]]  # finds what is refused of the value of a key

# --- the form of values ---------------------------------------------------------------------------------------------

# A dot stands between digits only (`regnetx_1.6gf`): a word names no file with an extension, and nothing to import.
_WORD = re.compile(r'(?:[\w -]|(?<=\d)\.(?=\d))*')
_NAME = re.compile(r'[\w.]+')  # of a key, or of a layer, such as `backbone.layer1`


def plain(key: str, value: object) -> Iterator[Refused]:
    """Allow numbers, true, false, None and words, nested in lists and dicts; no types."""
    yield from nested(plain, key, value, 'a number, true, false, None or a word')


def nested(inner: Place, key: str, value: object, wanted: str) -> Iterator[Refused]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name in ('type', '_scope_'):
                yield Refused(f'{key}.{name}', item, 'left out')
            else:
                yield from inner(f'{key}.{name}', item)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from inner(f'{key}.{number}', item)
    elif not (value is None or isinstance(value, (bool, int, float)) or _is(value, _WORD)):
        yield Refused(key, value, wanted)


def _is(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def layers(key: str, value: object) -> Iterator[Refused]:
    """Allow the name of a layer, or a list of some."""
    names = value if isinstance(value, (list, tuple)) else [value]
    if not all(name is None or _is(name, _NAME) for name in names):
        yield Refused(key, value, 'names of layers')


def file(key: str, value: object) -> Iterator[Refused]:
    """Allow text that names weights, which are read as data."""
    if not (value is None or isinstance(value, str)):
        yield Refused(key, value, 'the name of a file')


def scope(key: str, value: object) -> Iterator[Refused]:
    if not (value is None or (isinstance(value, str) and value in SCOPES)):
        yield Refused(key, value, f'one of {", ".join(SCOPES)}')


def one_of(*words: str) -> Place:
    def place(key: str, value: object) -> Iterator[Refused]:
        if not (isinstance(value, type) or is_one_of(value, words)):
            yield Refused(key, value, f'one of {", ".join(words)}')

    return place


def is_one_of(name: object, words: Container[str]) -> bool:
    return isinstance(name, str) and unscoped(name) in words


def unscoped(name: str) -> str:
    """Take the scope off the name of a type, where it is one that is known."""
    scope, dot, last = name.rpartition('.')
    return last if not dot or scope in SCOPES else name


# --- places ---------------------------------------------------------------------------------------------------------


def section(places: Mapping[str, Place]) -> Place:
    """Make the place of a dict that has these keys and no others."""

    def place(key: str, value: object) -> Iterator[Refused]:
        if not isinstance(value, Mapping):
            if value is not None:
                yield Refused(key, value, 'a dict')
            return
        for name, item in value.items():
            inner = places.get(name)
            full = f'{key}.{name}' if key else str(name)
            if inner is None:
                yield Refused(full, item, f'one of the keys {", ".join(places)}')
            else:
                yield from inner(full, item)

    return place


def part(types: Mapping[str, Place]) -> Place:
    """Make the place of a dict whose `type` is one of these, which have each a place for its other keys."""

    def place(key: str, value: object) -> Iterator[Refused]:
        if value is None:
            return
        if not isinstance(value, Mapping):
            yield Refused(key, value, 'a dict with a type')
            return
        kind = value.get('type')
        name = kind.__name__ if isinstance(kind, type) else unscoped(str(kind))  # a class: our own configs import it
        others = {other: item for other, item in value.items() if other not in ('type', '_scope_')}
        inner = types.get(name)
        if '_scope_' in value:
            yield from scope(f'{key}._scope_', value['_scope_'])
        if inner is not None:
            yield from inner(key, others)
            return
        yield Refused(f'{key}.type', kind, f'one of {", ".join(types)}')
        for other, item in others.items():
            yield Refused(f'{key}.{other}', item, 'of a type that is allowed')

    return place


def many(inner: Place) -> Place:
    """Make the place of one thing, or of lists of such."""

    def place(key: str, value: object) -> Iterator[Refused]:
        if not isinstance(value, (list, tuple)):
            yield from inner(key, value)
            return
        for number, item in enumerate(value):
            yield from place(f'{key}.{number}', item)

    return place


def types(table: Mapping[str, str], **places: Place) -> Dict[str, Place]:
    """Make a place for each type of a table from its keys; they are plain but for those that have a place here."""
    return {name: section(keys(words, **places)) for name, words in table.items()}


def keys(words: str, **places: Place) -> Dict[str, Place]:
    return {key: places.get(key, plain) for key in words.split()}
