"""Run a task folder by start.py: its log goes into a file, its progress to the terminal, then what came out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Callable, Optional, Tuple

from desk.check import ENV_FILE
from desk.progress import Bar
from desk.results import told_results
from executor.config.find import REPOSITORY
from executor.contract.env import OutputPaths, read_env
from executor.contract.output.monitor import Monitor
from executor.log import duration
from executor.machine.lifetime import die_with_parent

LOG = 'ymir-executor-out.log'  # beside monitor.txt, as the platform keeps it
_LOOK_SECONDS = 0.5
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_TIME = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ')
_SHOWN_BYTES = 4000  # of the log's end


def run_task(folder: Path, bar: Bar) -> Tuple[int, str]:
    """Run the task; returns start.py's exit status and what to tell.

    Raises:
        ConfigError: env.yaml cannot be read, so that nobody knows where the progress would be.
    """
    env = read_env(folder / ENV_FILE)
    started = time.time()
    with bar.told(folder.resolve().name):
        status, log = run_start(folder, ENV_FILE, env.output, bar.update)
    taken = duration(time.time() - started)
    if status:
        return status, f'{log.last_line()}\nfailed after {taken}; the whole log: {log.file}'
    return 0, '\n'.join([f'done in {taken}', *told_results(folder, env, log.text()), f'log: {log.file}'])


class Log:
    """What is written to a file from now on; what it holds of earlier runs, or of one that goes on, stays."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.stream = file.open('ab')
        self._start = self.stream.tell()

    def text(self, start: int = 0) -> str:
        """Read it from a byte of the file on."""
        with self.file.open('rb') as stream:
            stream.seek(max(self._start, start))
            return stream.read().decode('utf-8', errors='replace')

    def last_line(self) -> str:
        """Read the last line, without the time that it begins with."""
        lines = [line for line in self.text(self.file.stat().st_size - _SHOWN_BYTES).splitlines() if line.strip()]
        return _TIME.sub('', lines[-1]) if lines else ''


def run_start(
    folder: Path, env_file: Path, output: OutputPaths, update: Callable[[float, str], None]
) -> Tuple[int, Log]:
    """Start the task of an env.yaml in a folder, where relative paths begin; returns its exit status and its log.

    `update` is told again and again how far it is, as monitor.txt says, and the last line of its log.
    """
    root = folder / output.root_dir
    root.mkdir(parents=True, exist_ok=True)
    monitor, started, log = Monitor(folder / output.monitor_file, ''), time.time(), Log(root / LOG)
    command = [sys.executable, str(REPOSITORY / 'start.py'), '--env', str(env_file)]
    # What kills this process ends the task, too: nobody is left behind that keeps its folder.
    task = subprocess.Popen(
        command, cwd=str(folder), stdout=log.stream, stderr=subprocess.STDOUT, preexec_fn=die_with_parent
    )

    def forward(number: int, frame: Optional[FrameType]) -> None:
        task.send_signal(number)  # start.py ends the task in order, and says how

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        while True:
            try:
                return task.wait(_LOOK_SECONDS), log
            except subprocess.TimeoutExpired:
                update(_percent(monitor, started), log.last_line())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _percent(monitor: Monitor, started: float) -> float:
    """Read how far the task is; 0 while monitor.txt is an earlier one's."""
    is_of_this_run = monitor.path.is_file() and os.stat(monitor.path).st_mtime >= started
    return monitor.last_percent() if is_of_this_run else 0.0
