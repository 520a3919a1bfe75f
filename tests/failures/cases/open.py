"""Rows that do not hold yet, and why. Whoever makes one hold takes it out: the row then fails if it breaks again."""

from __future__ import annotations

from typing import Dict, Tuple

_UNTOLD = 'told as an unexpected '
_BUILDING = 'what fails while the model is built is not told as a mistake in cfg_options: '

OPEN: Dict[str, str] = {}

# The same for corruptions: the text and the function that corrupts it.
OPEN_CORRUPTIONS: Dict[Tuple[str, str], str] = {}
