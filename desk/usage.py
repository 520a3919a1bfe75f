"""Define the error of a command that is called in a way it cannot be."""

from __future__ import annotations


class UsageError(Exception):
    """An argument that cannot be used; the message is one sentence, the exit status 2."""
