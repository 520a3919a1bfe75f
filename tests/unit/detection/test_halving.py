"""Memory that two threads share: what one lacks, the other may hold."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from executor.detection.halving import Halving


class Memory:
    """A function that holds memory for its items until it is let go, and fails where there is no room as CUDA does."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self.held: list[int] = []  # items of each call that found room, in their order
        self.holds, self.lacked, self.let_go = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        with self._lock:
            if len(items) > self._room:
                self.lacked.set()
                raise RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')
            self._room -= len(items)
            self.held.append(len(items))
        self.holds.set()
        assert self.let_go.wait(60)
        with self._lock:
            self._room += len(items)
        return [2 * item for item in items]


@pytest.mark.parametrize('second, then', [(30, [15, 15]), (1, [1])])
def test_what_another_thread_holds_is_waited_for(second, then):
    memory = Memory(room=30)
    halving = Halving(memory)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(halving, list(range(30)))
        assert memory.holds.wait(60)
        other = pool.submit(halving, list(range(second)))
        assert memory.lacked.wait(60)
        memory.let_go.set()
        assert one.result(60) == [2 * item for item in range(30)]
        assert other.result(60) == [2 * item for item in range(second)]
    assert memory.held == [30, *then]


def test_what_does_not_fit_alone_is_raised():
    with pytest.raises(RuntimeError, match='CUDA out of memory'):
        Halving(Memory(room=0))([1, 2, 3])


def test_threads_that_all_lack_memory_come_to_an_end():
    memory = Memory(room=4)
    memory.let_go.set()
    halving = Halving(memory)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(halving, [list(range(16))] * 40, timeout=60))
    assert results == [[2 * item for item in range(16)]] * 40
    assert sum(memory.held) == 16 * 40
