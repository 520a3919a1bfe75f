"""The message of a call that must fail."""

from __future__ import annotations

from typing import Callable

import pytest

from executor.contract.errors import ExecutorError


def refusal(kind: type[ExecutorError], call: Callable[..., object], *arguments: object, **more: object) -> str:
    """Call what must raise an error of ours of exactly this kind, and so with its code; returns the message."""
    with pytest.raises(kind) as caught:
        call(*arguments, **more)
    assert type(caught.value) is kind
    return str(caught.value)
