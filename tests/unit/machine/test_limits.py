"""Limits to open files and processes: raised where the container allows it, and told where it does not."""

from __future__ import annotations

import errno
import resource
from multiprocessing import forkserver

import pytest

from executor.contract.errors import DatasetError, ExecutorError
from executor.machine import fork_server
from executor.machine.limits import allow_open_files, limit_reached
from tests.support.refusal import refusal


@pytest.fixture
def limits(monkeypatch):
    """The limits of a container, by hand: [what holds now, the most it may be]."""
    values = [0, 0]
    monkeypatch.setattr(resource, 'getrlimit', lambda kind: tuple(values))
    monkeypatch.setattr(resource, 'setrlimit', lambda kind, wanted: values.__setitem__(slice(None), wanted))
    return values


@pytest.mark.parametrize(
    'now, most, then',
    [
        (1024, 4096, 4096),
        (1024, resource.RLIM_INFINITY, 65536),
        (1024, 10**9, 65536),
        (20, 4096, 4096),
        (4096, 4096, 4096),
        (10**9, 10**9, 10**9),  # never lowered
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    ],
)
def test_as_many_open_files_as_the_container_allows(limits, now, most, then):
    limits[:] = now, most
    allow_open_files(1)
    assert limits == [then, most]


@pytest.mark.parametrize('ranks, enough', [(1, 56), (2, 64), (8, 112)])
def test_too_few_open_files_are_told_at_once(limits, ranks, enough):
    limits[:] = enough, enough
    allow_open_files(ranks)
    limits[:] = 20, enough - 1
    assert refusal(ExecutorError, allow_open_files, ranks).startswith(
        f'a process may have {enough - 1} files open, but the task needs {enough}: allow more (docker run --ulimit '
    )


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    with pytest.raises(type(error)) as caught:
        try:
            raise cause or KeyError
        except type(cause or KeyError()):
            raise error
    return caught.value


FILES = OSError(errno.EMFILE, 'Too many open files')


@pytest.mark.parametrize(
    'error, cause',
    [
        (FILES, None),
        (OSError(errno.ENFILE, 'Too many open files in system'), None),
        (RuntimeError('received 0 items of ancdata'), None),
        (RuntimeError('unable to open shared memory object </torch_1> in read-write mode: Too many open files'), None),
        (OSError('Caught OSError in DataLoader worker process 0.\nOSError: [Errno 24] Too many open files'), None),
        (ImportError('/lib/libcudart.so: cannot open shared object file: Too many open files'), None),
        (DatasetError('a.txt cannot be read'), FILES),
    ],
)
def test_too_many_open_files_however_it_is_said(error, cause):
    told = limit_reached(raised(error, cause))
    assert type(told) is ExecutorError
    assert str(told).startswith('too many files are open, a process may have ')
    assert 'docker run --ulimit nofile=' in str(told)


@pytest.mark.parametrize(
    'error', [BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable'), RuntimeError("can't start new thread")]
)
def test_too_many_processes(error):
    told = limit_reached(raised(error))
    assert type(told) is ExecutorError
    assert 'docker run --pids-limit' in str(told)
    # A file that another process has locked says the same.
    assert limit_reached(raised(DatasetError('is locked'), error)) is None


def test_a_fork_server_that_ends(monkeypatch):
    def gone(files):
        raise EOFError('unexpected EOF')

    monkeypatch.setattr(forkserver, 'connect_to_new_process', gone)
    with pytest.raises(EOFError) as caught:
        fork_server.CONTEXT.Process(target=print).start()
    told = limit_reached(caught.value)
    assert type(told) is ExecutorError
    assert 'the process that starts loading processes has ended' in str(told)
    assert limit_reached(raised(EOFError('unexpected EOF'))) is None


@pytest.mark.parametrize('error', [KeyError(), OSError(errno.ENOENT, 'No such file'), RuntimeError('no'), SystemExit()])
def test_other_failures_are_of_no_limit(error):
    assert limit_reached(raised(error)) is None
