"""Machines of one task, as threads that meet at one store: who is missing, who failed, who fell silent."""

from __future__ import annotations

import socket
import threading
from typing import Any, List

import pytest

from executor.contract import errors
from executor.contract.failure import Failure
from executor.process import companions
from executor.process.companions import Companions
from executor.process.node import Node
from tests.support.reports import Reports

HOST = socket.gethostname()


class Machine:
    """One of the machines, in a thread; `work` is what it does among the others."""

    def __init__(self, node: Node, work: Any = lambda: None, task_id: str = 'task') -> None:
        self.reports = Reports()
        self.ended = False
        self.error: Any = None
        self.gone = threading.Event()
        self._node = node
        self._work = work
        self._task_id = task_id
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with Companions(self._node, 1, self._task_id, self.reports, self._end) as found:
                self.launcher_port = found.launcher_port
                self._work()
        except BaseException as error:
            self.error = error

    def _end(self) -> None:
        self.ended = True
        self.gone.set()


@pytest.fixture
def nodes(monkeypatch) -> List[Node]:
    """Three machines that meet on a free port, and wait shortly for each other."""
    monkeypatch.setattr(companions, '_BEAT_SECONDS', 0.05)
    monkeypatch.setattr(companions, '_SILENT_SECONDS', 1.5)
    monkeypatch.setattr(companions, '_LEAVING_SECONDS', 5.0)
    with socket.socket() as free:
        free.bind(('', 0))
        port = free.getsockname()[1]
    return [Node(rank, 3, '127.0.0.1', port) for rank in range(3)]


def test_all_meet_work_and_leave(nodes):
    together = threading.Barrier(3, timeout=20)
    machines = [Machine(node, together.wait) for node in reversed(nodes)]
    for machine in machines:
        machine.thread.join(20)
        assert not machine.thread.is_alive()
        assert (machine.error, machine.reports, machine.ended) == (None, [], False)
    assert len({machine.launcher_port for machine in machines}) == 1


@pytest.mark.parametrize('failing', [0, 2])
@pytest.mark.parametrize('told', [True, False], ids=['with words', 'without'])
def test_the_failure_of_one_ends_the_others_with_its_code_and_words(nodes, failing, told):
    machines = {}

    def fail() -> None:
        if told:
            machines[failing].reports.put(Failure(300010, 'out of GPU memory', 'its trace', 'GpuMemoryError'))
            raise SystemExit(1)
        raise errors.ImageError('the worker was killed')

    for node in nodes:
        machines[node.rank] = Machine(node, fail if node.rank == failing else threading.Event().wait)
    code, words = (300010, 'out of GPU memory') if told else (errors.ImageError.code, 'the worker was killed')
    for rank in {0, 1, 2} - {failing}:
        assert machines[rank].gone.wait(20)
        (failure,) = machines[rank].reports
        assert (failure.code, failure.message) == (code, f'node {failing} ({HOST}): {words}')
        assert failure.kind == ('GpuMemoryError' if told else 'ImageError')
        assert machines[rank].ended
    machines[failing].thread.join(20)
    assert len(machines[failing].reports) == told  # its own words are as they were
    assert not machines[failing].ended


def test_one_that_falls_silent_ends_the_others(nodes, monkeypatch):
    """Its counting stops, as where its machine is gone."""
    dead = threading.Event()
    count = Companions._count

    def count_unless_dead(self, *name):
        return 0 if self._node.rank == 1 and dead.is_set() else count(self, *name)

    monkeypatch.setattr(Companions, '_count', count_unless_dead)
    together = threading.Barrier(3, timeout=20)

    def work() -> None:
        together.wait()
        dead.set()
        threading.Event().wait()

    machines = [Machine(node, work) for node in nodes]
    for rank in (0, 2):
        assert machines[rank].gone.wait(20)
        (failure,) = machines[rank].reports
        assert failure.message.startswith(f'node 1 ({HOST}) gives no sign of life any more: ')


def test_one_that_comes_for_another_task_is_told(nodes):
    machines = [Machine(node, task_id='other' if node.rank == 2 else 'task') for node in nodes]
    for machine in machines:
        machine.thread.join(20)
    assert isinstance(machines[2].error, errors.ConfigError)
    assert "has come with {'task_id': 'task', 'ranks': 1}" in str(machines[2].error)


def test_one_that_does_not_come_is_named(nodes, monkeypatch):
    monkeypatch.setattr(companions, '_MEETING_SECONDS', 1.0)
    machines = [Machine(node) for node in nodes[:2]]
    for machine in machines:
        machine.thread.join(20)
        assert isinstance(machine.error, errors.ExecutorError)
    assert str(machines[0].error).startswith(
        f'node 2 did not come to 127.0.0.1:{nodes[0].port} within 1 s: start all 3'
    )


def test_a_port_that_is_taken_is_told(nodes):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', nodes[0].port))
        taken.listen()
        machine = Machine(nodes[0])
        machine.thread.join(20)
    assert isinstance(machine.error, errors.ConfigError)
    assert 'a port that is free there' in str(machine.error)
