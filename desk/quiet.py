"""Keep quiet what libraries print of themselves."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Lose what is printed in the block: mmdet tells which optional packages it does without."""
    silence = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        warnings.simplefilter('ignore')
        yield
