"""Tell the machines of a task of each other: all are there, all go on, and the first failure of any ends all."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from multiprocessing.queues import SimpleQueue
from types import TracebackType
from typing import Callable, Dict, Optional, Set, Type

from torch.distributed import TCPStore
from torch.distributed.elastic.multiprocessing import SignalException

from executor.contract.errors import ConfigError, ExecutorError
from executor.contract.failure import Failure, failure_of
from executor.contract.shown import clipped, first_line
from executor.process.node import Node

_MEETING_SECONDS = 600.0  # a scheduler starts machines at different times, and one may have to fetch the image first
_BEAT_SECONDS = 1.0
# Without a sign of life. Less than a rank waits before it tells of the loss of another (`reports.py`), so that the
# cause is told and not what follows from it.
_SILENT_SECONDS = 15.0
_LEAVING_SECONDS = 8.0  # in which the others read why


class Companions:
    """The other machines, for a `with` block around the ranks of this one.

    Number 0 has a store at the meeting point. Each machine counts up there once a second, and looks whether the others
    do. Where one fails or falls silent, the others tell that to their parents and exit.

    Args:
        node: this machine, one of several.
        ranks: processes on each of them.
        task_id: of env.yaml.
        reports: of this machine to its parent.
        end: ends this process and its ranks.
    """

    def __init__(
        self,
        node: Node,
        ranks: int,
        task_id: str,
        reports: SimpleQueue[Failure],
        end: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),  # which the launcher heeds
    ) -> None:
        self._node = node
        self._reports = reports
        self._end = end
        self._over = threading.Event()
        self._task = {'task_id': task_id, 'ranks': ranks}
        self._hosts: Dict[int, str] = {}
        self._silent: Set[int] = set()
        self._watch = threading.Thread(target=self._look_after, daemon=True)
        self.launcher_port = 0  # on node 0, for torch's launcher

    def __enter__(self) -> Companions:
        self._meet()
        self._watch.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._over.set()
        self._watch.join(_SILENT_SECONDS)
        with suppress(RuntimeError):  # node 0 is gone
            if error is not None:
                self._tell(error)
            self._leave()

    def _meet(self) -> None:
        """Wait until all machines are here.

        Raises:
            ConfigError: one has come for another task, or node 0 cannot listen.
            ExecutorError: one does not come in time.
        """
        node, deadline = self._node, time.monotonic() + _MEETING_SECONDS
        if node.is_first:
            self._store = _listen(node)
            self._store.set(self._key('launcher'), str(_free_port()))
        while True:
            try:
                if not node.is_first:
                    self._store = TCPStore(
                        node.host, node.port, node.count, False, _seconds(_SILENT_SECONDS), wait_for_workers=False
                    )
                self._store.set_timeout(_seconds(_SILENT_SECONDS))
                here = {'host': socket.gethostname(), **self._task}
                self._store.set(self._key('here', node.rank), json.dumps(here))
                for other in range(node.count):
                    self._greet(other, json.loads(self._store.get(self._key('here', other))))
                self.launcher_port = int(self._store.get(self._key('launcher')))
                return
            except RuntimeError as error:  # not there yet; or the store of the attempt before, which goes away
                if time.monotonic() > deadline:
                    missing = next((other for other in range(node.count) if other not in self._hosts), 0)
                    raise ExecutorError(
                        f'node {missing} did not come to {node.host}:{node.port} within {_MEETING_SECONDS:.0f} s: '
                        f'start all {node.count}, and see that they reach that place ({clipped(first_line(error))})'
                    )
                time.sleep(_BEAT_SECONDS)

    def _greet(self, other: int, here: Dict[str, object]) -> None:
        self._hosts[other] = str(here.pop('host'))
        if here != self._task:
            raise ConfigError(
                f'node {other} ({self._hosts[other]}) has come with {here}, node {self._node.rank} with {self._task}: '
                'give all nodes the same env.yaml and config.yaml, and each task a --rendezvous of its own'
            )

    def _look_after(self) -> None:
        """Count up and watch the others until this machine is through, or one of them fails."""
        try:
            failure = self._first_failure()
            if failure is None:
                return
            self._report(failure)
            self._leave()
        except RuntimeError:
            self._report(self._silence_of(0))
        self._end()

    def _first_failure(self) -> Optional[Failure]:
        """Wait for what is told by another machine, or for one that falls silent; None where this one is through."""
        beats = {other: (0, time.monotonic()) for other in range(self._node.count)}
        while not self._over.wait(_BEAT_SECONDS):
            self._count('beat', self._node.rank)
            if self._counted('failures'):
                told = json.loads(self._store.get(self._key('failure')))
                return Failure(**told)
            for other, (before, since) in beats.items():
                beat = self._counted('beat', other)
                if beat != before or self._counted('left', other):
                    beats[other] = (beat, time.monotonic())
                elif time.monotonic() - since > _SILENT_SECONDS:
                    self._silent.add(other)
                    return self._silence_of(other)
        return None

    def _silence_of(self, other: int) -> Failure:
        host = self._hosts.get(other, self._node.host)
        return failure_of(
            ExecutorError(
                f'node {other} ({host}) gives no sign of life any more: see its log, and whether its machine and its '
                'network are up, and start the task again; stages saved before stay valid'
            )
        )

    def _report(self, failure: Failure) -> None:
        if self._reports.empty():
            self._reports.put(failure)

    def _tell(self, error: BaseException) -> None:
        """Tell the others of the failure of this machine, unless another has told of one before."""
        if isinstance(error, SignalException):
            error = ExecutorError('start.py was stopped there: see its log, and start the task again on all nodes')
        failure = failure_of(error)
        if not self._reports.empty():  # which says more than the exit of a rank
            failure = self._reports.get()
            self._reports.put(failure)
        host = self._hosts[self._node.rank]
        told = dataclasses.replace(failure, message=f'node {self._node.rank} ({host}): {failure.message}')
        if self._count('tellers') == 1:
            self._store.set(self._key('failure'), json.dumps(dataclasses.asdict(told)))
            self._count('failures')

    def _leave(self) -> None:
        """Say that this machine goes; the first, whose store it is, lets the others go before."""
        self._count('left', self._node.rank)
        deadline = time.monotonic() + _LEAVING_SECONDS
        others = set(range(self._node.count)) - self._silent
        while self._node.is_first and time.monotonic() < deadline:
            if all(self._counted('left', other) for other in others):
                return
            time.sleep(_BEAT_SECONDS / 4)

    def _count(self, *name: object) -> int:
        return self._store.add(self._key(*name), 1)

    def _counted(self, *name: object) -> int:
        return self._store.add(self._key(*name), 0)

    def _key(self, *name: object) -> str:
        return '/'.join(map(str, (self._node.attempt, *name)))


def _listen(node: Node) -> TCPStore:
    try:
        return TCPStore(node.host, node.port, node.count, True, _seconds(_SILENT_SECONDS), wait_for_workers=False)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f'node 0 cannot be met at {node.host}:{node.port}: give --rendezvous an address of its machine and a port '
            f'that is free there ({clipped(first_line(error))})'
        )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(('', 0))
        return int(free.getsockname()[1])


def _seconds(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=seconds)
