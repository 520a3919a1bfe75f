from __future__ import annotations

import pickle
import re

import pytest

from executor.contract import errors
from executor.contract.failure import death_of, failure_of


class Unreadable(Exception):
    """An error that is wrong itself."""

    def __str__(self) -> str:
        raise KeyError('message')


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """The same exception with a traceback."""
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


# The codes of the contract, by hand.
@pytest.mark.parametrize(
    'error, code',
    [
        (errors.ExecutorError, 160004),
        (errors.ConfigError, 300001),
        (errors.DatasetError, 300002),
        (errors.ImageError, 300003),
        (errors.ModelError, 300004),
        (errors.GpuMismatchError, 300101),
        (errors.NoGpuError, 300102),
        (errors.OutOfMemoryError, 300103),
        (errors.NonFiniteLossError, 300201),
    ],
)
def test_an_error_of_ours_speaks_for_itself(error, code):
    failure = failure_of(raised(error('max_epochs must be\n a whole number')))
    assert (failure.code, failure.message) == (code, 'max_epochs must be a whole number')
    name = f'executor.contract.errors.{error.__name__}'
    assert failure.traceback.startswith('Traceback (most recent call last):\n')
    assert failure.traceback.endswith(f'\n{name}: max_epochs must be\n a whole number')


@pytest.mark.parametrize(
    'error, message',
    [
        (KeyError('a'), "unexpected KeyError: 'a'"),
        (RuntimeError('one\ntwo'), 'unexpected RuntimeError: one two'),
        (MemoryError(), 'unexpected MemoryError:'),
        (RuntimeError('a\tb \0 \ud83d'), r'unexpected RuntimeError: a b \x00 \ud83d'),
        (Unreadable(), 'unexpected Unreadable: its message cannot be read'),
        (SystemExit(300001), 'unexpected SystemExit: 300001'),  # its attribute `code` is the exit status, not ours
    ],
)
def test_any_other_error_is_named(error, message):
    failure = failure_of(raised(error))
    assert (failure.code, failure.message) == (160004, message)


def test_the_cause_is_told():
    failure = failure_of(raised(errors.ConfigError('no'), cause=ValueError('the reason')))
    assert 'ValueError: the reason\n' in failure.traceback
    assert failure.traceback.endswith('ConfigError: no')


def test_a_long_traceback_keeps_its_last_hundred_lines():
    wide = 'x' * 1000
    failure = failure_of(raised(errors.ConfigError('\n'.join(f'{n}' for n in range(300)) + f'\n{wide}')))
    assert failure.traceback.split('\n') == [str(n) for n in range(201, 300)] + ['x' * 400]


def test_a_report_of_any_length_travels_to_another_process_in_one_piece():
    failure = failure_of(raised(errors.ConfigError('ü' * 100_000)))
    assert pickle.loads(pickle.dumps(failure)) == failure
    assert len(pickle.dumps(failure)) < 2**15  # of the 2**16 that a pipe holds


@pytest.mark.parametrize(
    'exitcode, code, words',
    [
        (-9, 300103, 'SIGKILL.*ran out of memory.*samples_per_gpu'),
        (-7, 300103, 'bus error.*--shm-size'),
        (-11, 160004, 'by signal SIGSEGV'),
        (-6, 160004, 'by signal SIGABRT'),
        (-40, 160004, 'by signal 40'),  # which has no name
        (3, 160004, 'with exit status 3'),
    ],
)
def test_a_process_that_died_without_a_word(exitcode, code, words):
    error = death_of(exitcode)
    assert error.code == code
    assert re.search(words, str(error))
