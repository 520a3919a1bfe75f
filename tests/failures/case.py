"""One row of the failure matrix, and how it is run: through start.py, in a process of its own."""

from __future__ import annotations

import functools
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, List, NamedTuple, Optional, Tuple

from tests.conftest import REPOSITORY
from tests.failures.task import TRAINING, Task

_STUBS = Path(__file__).parent / 'stubs'
_LIGHT_SECONDS, _HEAVY_SECONDS = 10, 240
_LIGHT_BYTES = 2**31  # of memory, so that what grows without end hurts nobody


class Moment(NamedTuple):
    """When the log says `after`, `who` gets the signal.

    It is 'start', 'worker', 'rank', 'loading' for a process that loads images, or 'group', as from a terminal.
    """

    after: str
    who: str
    signal: int


@dataclass(frozen=True)
class Case:
    """What is broken, and what its user is told.

    Attributes:
        what: what is wrong, in words for users; the name of the row.
        task: TRAINING, INFERENCE or MINING.
        breaks: makes it so.
        code: the platform's code.
        words: parts of the message, paths below /in and /out.
        heavy: whether torch may be imported before it is told.
        arguments: further ones of start.py.
        moment: a signal to send.
        status: exit status.
        told: whether monitor.txt can be written at all.
        environ: further variables of the environment.
        cpu_build: whether it is so with torch for CPUs only.
        stdout: where the log goes: 'log', 'full' (a full disk), 'unread' (a pipe without a reader) or 'closed'.
        open_files: how many a process may have.
        stubs: folders of `stubs` whose modules stand before those installed.
    """

    what: str
    task: str
    breaks: Callable[[Task], None]
    code: int
    words: Tuple[str, ...]
    heavy: bool = False
    arguments: Tuple[str, ...] = ()
    moment: Optional[Moment] = None
    status: int = 1
    told: bool = True
    environ: Tuple[Tuple[str, str], ...] = ()
    cpu_build: bool = False
    stdout: str = 'log'
    open_files: Optional[int] = None
    stubs: Tuple[str, ...] = ()


def rows(code: int, **common: Any) -> Callable[..., Case]:
    """Return how an area writes a row: `row(what, breaks, *words)`, and by name what differs from `common`."""

    def row(what: str, breaks: Callable[[Task], None], *words: str, **more: Any) -> Case:
        values = {'task': TRAINING, 'code': code, **common, **more}
        return Case(what, breaks=breaks, words=words, **values)

    return row


class Told(NamedTuple):
    """Code and message of one case."""

    code: str
    message: str


class Outcome(NamedTuple):
    """What is left of a run.

    `monitor` is the text of monitor.txt, paths below /in and /out; `left` the processes that did not end.
    """

    status: Optional[int]
    output: str
    monitor: str
    left: List[int]

    @property
    def record(self) -> List[str]:
        return self.monitor.partition('\n')[0].split('\t')

    @property
    def told(self) -> Told:
        """As the platform reads it, or as the log ends where monitor.txt cannot be written."""
        if len(self.record) == 6:
            return Told(self.record[4], self.record[5])
        last = re.search(r'ERROR (.*) \(code (\d+)\)$', self.output.rstrip())
        return Told(last.group(2), last.group(1)) if last else Told('none', 'none')


def run(case: Case, task: Task) -> Outcome:
    """Start the task and wait for its end."""
    log = task.root / 'log.txt'
    log.touch()
    command = [sys.executable, str(REPOSITORY / 'start.py'), '--env', str(task.env_file), *case.arguments]
    with _stdout(case.stdout, log) as stream:
        process = subprocess.Popen(
            command,
            cwd=str(task.root),
            env=environment(case, task),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=functools.partial(_prepare, case),
        )
        try:
            if case.moment is not None:
                _send(case.moment, process, log)
            status: Optional[int] = process.wait(_HEAVY_SECONDS if case.heavy else _LIGHT_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        left = _left_behind(process.pid)
        if left:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    monitor = task.root / 'out' / 'monitor.txt'
    text = monitor.read_text(encoding='utf-8', errors='replace') if monitor.is_file() else ''
    output = log.read_text(encoding='utf-8', errors='replace')
    return Outcome(status, plain(output, task), plain(text, task), left)


def plain(text: str, task: Task) -> str:
    """Text without what differs from run to run."""
    text = text.replace(str(task.root), '').replace(f'{REPOSITORY}/', '')
    text = re.sub(r'\d+\.\d+\.\d+\+\w+', 'VERSION', text)
    return re.sub(r'\bpid(\(s\))? \d+', 'pid', text)


def environment(case: Case, task: Task) -> Dict[str, str]:
    """With a monitor.txt of the task's own where env.yaml names none, and without torch in light cases."""
    stubs = (*case.stubs, 'everywhere') if case.heavy else (*case.stubs, 'no_torch', 'everywhere')
    paths = [*(_STUBS / name for name in stubs), REPOSITORY]
    return {
        **{name: value for name, value in os.environ.items() if name != 'DEFAULT_ENV_FILE_PATH'},
        'PYTHONPATH': os.pathsep.join(map(str, paths)),
        'PYTHONDONTWRITEBYTECODE': '1',
        'STANDARD_MONITOR_FILE': str(task.root / 'out' / 'monitor.txt'),
        **dict(case.environ),
    }


def _stdout(kind: str, log: Path) -> BinaryIO:
    if kind == 'full':
        return open('/dev/full', 'wb')
    if kind == 'unread':
        reader, writer = os.pipe()
        os.close(reader)
        return os.fdopen(writer, 'wb')
    return log.open('wb')


def _prepare(case: Case) -> None:
    """In the process of the task, before it begins."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):  # which tests in the background ignore
        signal.signal(number, signal.SIG_DFL)
    if not case.heavy:
        resource.setrlimit(resource.RLIMIT_AS, (_LIGHT_BYTES, _LIGHT_BYTES))
    if case.open_files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (case.open_files, case.open_files))
    if case.stdout == 'closed':
        os.close(1)
        os.close(2)


# --- processes ------------------------------------------------------------------------------------------------------


def _send(moment: Moment, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + _HEAVY_SECONDS
    while moment.after not in log.read_text(encoding='utf-8', errors='replace'):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding='utf-8', errors='replace')
        time.sleep(0.02)
    pid = process.pid
    if moment.who == 'group':
        return os.killpg(pid, moment.signal)
    if moment.who == 'loading':
        (server,) = _begun(_begun(pid, 'spawn_main')[0], 'forkserver')
        pid = _begun(server, 'forkserver')[0]
    else:
        for _ in range(('start', 'worker', 'rank').index(moment.who)):
            pid = _begun(pid, 'spawn_main')[0]
    os.kill(pid, moment.signal)


def _begun(pid: int, by: str) -> List[int]:
    """The Python processes that a process started, by a part of multiprocessing."""
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return [int(child) for child in children if by in Path(f'/proc/{child}/cmdline').read_text()]


def _left_behind(session: int) -> List[int]:
    """Processes of the session that are still there after some seconds."""
    deadline = time.monotonic() + 10
    while True:
        left = [pid for pid in _processes() if _session_of(pid) == session]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _processes() -> List[int]:
    return [int(entry.name) for entry in Path('/proc').iterdir() if entry.name.isdigit()]


def _session_of(pid: int) -> int:
    """0 for a process that is gone."""
    try:
        # After the name, which may hold anything: state, parent, group, session.
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == 'Z' else int(fields[3])
