"""A task is asked to stop by signals, and answers the first."""

from __future__ import annotations

import signal
import threading

import pytest

from executor.process.termination import STOPS, Terminated, heed_termination, heeded, ignore_termination


@pytest.fixture(autouse=True)
def signals():
    """None is ignored, as where the tests run in the background; what signals do is put back afterwards."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    """Send this very thread a signal, and let Python see it."""
    signal.pthread_kill(threading.get_ident(), number)
    for _ in range(1000):
        pass


@pytest.mark.parametrize('name, status', [('SIGTERM', 143), ('SIGINT', 130), ('SIGHUP', 129), ('SIGQUIT', 131)])
def test_the_first_signal_stops_the_task_and_no_other(name, status):
    heed_termination()
    assert heeded() == set(STOPS)
    with pytest.raises(
        Terminated, match=rf'^the task was stopped from outside \({name}\) before it was done: '
    ) as told:
        send(signal.Signals[name])
    assert (told.value.code, told.value.status) == (160004, status)
    for number in STOPS:
        send(number)
    assert heeded() == set()


def test_what_nohup_has_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    heed_termination()
    send(signal.SIGHUP)
    assert heeded() == set(STOPS) - {signal.SIGHUP}


def test_the_last_steps_are_not_interrupted():
    heed_termination()
    ignore_termination()
    for number in STOPS:
        send(number)
