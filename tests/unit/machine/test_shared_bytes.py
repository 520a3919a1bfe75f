"""Memory that processes share: the same bytes for all, as long as one has them, and nothing that stays."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
from pathlib import Path

import pytest

from executor.machine.shared_bytes import SharedBytes


def add_one(shared: SharedBytes) -> None:
    """Add 1 to the first byte by the memory, and to the second by the file."""
    shared.memory[0] += 1
    shared.write(memoryview(bytes([shared.memory[1] + 1])), 1)


@pytest.mark.parametrize('method', ['fork', 'forkserver', 'spawn'])
def test_a_process_that_is_started_has_the_same_bytes(method):
    shared = SharedBytes(3)
    assert shared.memory[:] == b'\0\0\0'
    assert shared.write(memoryview(b'abc'), 0)
    for _ in range(2):
        process = multiprocessing.get_context(method).Process(target=add_one, args=(shared,))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert (shared.memory[:], shared.size) == (b'cdc', 3)


def test_any_process_can_open_it_by_its_path():
    shared = SharedBytes(2)
    other = SharedBytes.opened(shared.path, 2)
    assert other.write(memoryview(b'b'), 1)
    assert shared.memory[:] == b'\0b'
    del shared
    assert other.memory[:] == b'\0b'


def test_no_open_file_stays():
    def count():
        gc.collect()
        return len(list(Path('/proc/self/fd').iterdir()))

    before = count()
    shared = SharedBytes(10)
    other = SharedBytes.opened(shared.path, 10)
    assert count() == before + 4  # each has the file, and its memory has it again
    del shared, other
    assert count() == before


def test_what_is_written_in_pieces_is_whole(monkeypatch):
    shared, write = SharedBytes(10), os.pwrite
    monkeypatch.setattr(os, 'pwrite', lambda file, content, start: write(file, content[:3], start))
    assert shared.write(memoryview(b'0123456'), 2)
    assert shared.memory[:] == b'\0\x000123456\0'


def test_memory_that_ends_is_said(monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shared = SharedBytes(1)
    monkeypatch.setattr(os, 'pwrite', fail)
    assert not shared.write(memoryview(b'a'), 0)
