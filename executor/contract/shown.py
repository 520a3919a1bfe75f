"""Values from outside, written out for a message: never long, whatever they are."""

from __future__ import annotations

import reprlib
from typing import Any

_MOST = 200  # characters

_REPR = reprlib.Repr()
_REPR.maxlevel = 3
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _MOST


def shown(value: Any) -> str:
    """A value as Python writes it, cut in its middle where it is long, nested or does not end."""
    try:
        text = _REPR.repr(value)
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return f'a number of {value.bit_length()} bits' if isinstance(value, int) else type(value).__name__
    return clipped(text)


def clipped(text: str, most: int = _MOST) -> str:
    """Text of at most some `most` characters, the middle left out."""
    return text if len(text) <= most else f'{text[: most // 2]}...{text[-most // 2 :]}'


def first_line(error: BaseException) -> str:
    """Give the first line of an error's message, or the name of its type where it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]
