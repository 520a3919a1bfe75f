"""Write values and errors from outside into a message: never long, whatever they are."""

from __future__ import annotations

import reprlib
from typing import Sequence

_MOST = 200  # characters

_REPR = reprlib.Repr()
_REPR.maxlevel = 3
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _MOST


def shown(value: object) -> str:
    """Write a value as Python does, cut in its middle where it is long, nested or does not end."""
    try:
        text = _REPR.repr(value)
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return f'a number of {value.bit_length()} bits' if isinstance(value, int) else type(value).__name__
    return clipped(text)


def clipped(text: str, most: int = _MOST) -> str:
    """Cut a text to some `most` characters by leaving out its middle."""
    return text if len(text) <= most else f'{text[: most // 2]}...{text[-most // 2 :]}'


def listed(texts: Sequence[str], most: int = 5, between: str = ', ') -> str:
    """Write the first of some texts, and `...` for the others."""
    return between.join([*texts[:most], *(['...'] if len(texts) > most else [])])


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its type where it has none."""
    return next(iter(str(error).splitlines()), '') or type(error).__name__
