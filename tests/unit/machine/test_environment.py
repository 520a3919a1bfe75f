"""Variables of the environment that are set for a while."""

from __future__ import annotations

import os

import pytest

from executor.machine.environment import environment


def test_they_are_set_in_the_block_and_then_what_they_were(monkeypatch):
    monkeypatch.setenv('YMIR_TEST_A', 'before')
    monkeypatch.delenv('YMIR_TEST_B', raising=False)
    with pytest.raises(ZeroDivisionError), environment(YMIR_TEST_A='a', YMIR_TEST_B='b'):
        assert (os.environ['YMIR_TEST_A'], os.environ['YMIR_TEST_B']) == ('a', 'b')
        raise ZeroDivisionError
    assert os.environ['YMIR_TEST_A'] == 'before'
    assert 'YMIR_TEST_B' not in os.environ
