"""The command as a user calls it."""

from __future__ import annotations

from typing import Callable, Tuple

import pytest

from desk.__main__ import main


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys) -> Callable[..., Tuple[int, str]]:
    """Call the command in pytest's temporary folder; returns the exit status and all that was printed."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as error:  # of argparse
            status = error.code
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return call
