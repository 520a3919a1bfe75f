"""Loading processes come from a server that has nothing of this process, and end with this process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.support.processes import alive, wait_until

# Prints what a process knows: of whom it is a child, its threads, what it has imported, and a variable of the program.
PROGRAM = """
import os, sys, threading, time
from pathlib import Path
from executor.machine import fork_server
from executor.machine.lifetime import die_with_parent

value = 'of the file'

def tell(out):
    die_with_parent()
    found = os.getppid(), threading.active_count(), 'executor.images.loader' in sys.modules, 'secret' in sys.modules
    Path(out + '.new').write_text(' '.join(map(str, (os.getpid(), *found, value))))
    Path(out + '.new').rename(out)
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)

if __name__ == '__main__':
    fork_server.begin('executor.images.loader')
    sys.modules['secret'], value = sys, 'of this process'
    threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
    process = fork_server.CONTEXT.Process(target=tell, args=(sys.argv[1],))
    process.start()
    process.join()
    print(os.getpid(), process.exitcode, os.environ.get('PYTHONPATH'))
"""


@pytest.fixture
def program(tmp_path):
    """Start the program elsewhere than where the code lies; gives the process."""
    (tmp_path / 'program.py').write_text(f'import sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n{PROGRAM}')
    begun = []

    def start(*arguments, **environment):
        command = [sys.executable, 'program.py', str(tmp_path / 'told'), *arguments]
        variables = {**os.environ, **environment}
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, env=variables, text=True))
        return begun[0]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize('environment', [{}, {'PYTHONPATH': '/nowhere'}], ids=['', 'with a path'])
def test_it_has_nothing_of_this_process_but_what_was_asked_for(tmp_path, program, environment):
    out, _ = program(**environment).communicate(timeout=60)
    here, status, path = out.split()
    pid, parent, threads, loader, secret, *value = (tmp_path / 'told').read_text().split()
    assert status == '0'
    assert parent != here
    assert (loader, secret, ' '.join(value)) == ('True', 'False', 'of the file')
    assert int(threads) == 2  # its own, and the one that waits for the end of this process
    assert path == os.environ.get('PYTHONPATH', environment.get('PYTHONPATH', 'None'))


@pytest.mark.parametrize('end', [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_this_process(tmp_path, program, end):
    process = program('100')
    told = tmp_path / 'told'
    wait_until(told.exists)
    loading, server = map(int, told.read_text().split()[:2])
    assert alive(loading) and alive(server)
    process.send_signal(end)
    process.wait()
    wait_until(lambda: not alive(loading) and not alive(server))
