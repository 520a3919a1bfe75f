"""Nothing that is printed fails a process, wherever its output goes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from executor.log import duration
from tests.conftest import REPOSITORY

# As our code and as libraries do, in this process and in forked ones; says at its end on what is left to say it.
PRINTS = r"""
import logging, multiprocessing, os, sys, tempfile, warnings
from executor.log import set_up_logging
set_up_logging()
set_up_logging()  # as the worker and its only rank do

def speak():
    logging.getLogger('executor.x').info('个 \ud83d \udcff %s', 'x' * 100000)
    print('个 \ud83d \udcff', flush=True)
    print('个' * 100000, file=sys.stderr, flush=True)
    sys.stdout.write('without an end')
    sys.stdout.flush()
    warnings.warn('only a warning')
    os.system('echo from a program 2>&1')

speak()
process = multiprocessing.get_context('fork').Process(target=speak)
process.start()
process.join()
with tempfile.TemporaryFile() as file:
    assert file.fileno() > 2, 'a file has the place of a stream'
os.write(RESULT, str(process.exitcode).encode())
sys.exit(3)
"""


def run(code: str = PRINTS, **more) -> tuple[int, str]:
    """Return the exit status, and what was told besides."""
    reader, writer = os.pipe()
    code = code.replace('RESULT', str(writer))
    try:
        process = subprocess.Popen([sys.executable, '-c', code], cwd=REPOSITORY, pass_fds=[writer], **more)
        status = process.wait(60)
    finally:
        os.close(writer)
    with os.fdopen(reader) as stream:
        return status, stream.read()


def test_on_a_full_disk():
    with open('/dev/full', 'wb') as full:
        assert run(stdout=full, stderr=full) == (3, '0')


def test_with_a_reader_that_is_not_ready():
    """Where stdout must not wait for it, which another process on the same terminal may have chosen."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        assert run(stdout=writer, stderr=writer) == (3, '0')
    finally:
        os.close(reader)
        os.close(writer)


def test_without_a_reader():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert run(stdout=writer, stderr=writer) == (3, '0')
    finally:
        os.close(writer)


@pytest.mark.parametrize('closed', [(1,), (2,), (0, 1, 2)])
def test_with_streams_closed(closed):
    assert run(preexec_fn=lambda: [os.close(number) for number in closed]) == (3, '0')


@pytest.mark.parametrize('encoding', ['ascii', 'latin-1', 'utf-8'])
def test_with_characters_that_the_terminal_does_not_have(tmp_path, encoding):
    log = tmp_path / 'log'
    environ = {**os.environ, 'PYTHONIOENCODING': encoding, 'PYTHONWARNINGS': 'error'}
    with log.open('wb') as stream:
        assert run(stdout=stream, stderr=stream, env=environ) == (3, '0')
    first = log.read_text(encoding=encoding).splitlines()[0]
    spoken = '个' if encoding == 'utf-8' else r'\u4e2a'
    assert first[19:].startswith(rf' INFO {spoken} \ud83d \udcff xxx')
    assert first.endswith('x' * 100000)


def test_a_log_that_has_room_again_goes_on(tmp_path):
    code = """
import os, sys
from executor.log import set_up_logging
full = os.open('/dev/full', os.O_WRONLY)
log = os.dup(1)
os.dup2(full, 1)
set_up_logging()
print('lost')
os.dup2(log, 1)
print('kept')
"""
    with (tmp_path / 'log').open('wb') as stream:
        assert run(code, stdout=stream) == (0, '')
    assert (tmp_path / 'log').read_text() == 'kept\n'


@pytest.mark.parametrize('seconds, text', [(0, '0s'), (59.4, '59s'), (59.6, '1m00s'), (185, '3m05s'), (7620, '2h07m')])
def test_durations(seconds, text):
    assert duration(seconds) == text
