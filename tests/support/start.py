"""Run a task by start.py in a process of its own, and read what it left."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from executor.contract.env import read_env
from tests.conftest import REPOSITORY


def start(env_file: Path, *options: str) -> subprocess.Popen:
    """Start the task, as a session of its own so that all of it can be killed."""
    command = [sys.executable, 'start.py', '--env', str(env_file), *options]
    return subprocess.Popen(
        command,
        cwd=str(REPOSITORY),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(env_file: Path, *options: str, status: int = 0) -> str:
    """Run the task to its end, which must have this exit status, and return what it printed."""
    process = start(env_file, *options)
    output, _ = process.communicate()
    assert process.returncode == status, output
    return output


def wait_for(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, which must be before the process ends."""
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def monitor_of(env_file: Path) -> list[str]:
    """Return the columns of monitor.txt's first line: task, time, progress, state, then code and message."""
    return read_env(env_file).output.monitor_file.read_text(encoding='utf-8').splitlines()[0].split('\t')


def result_of(env_file: Path) -> dict[str, Any]:
    """Return a training's result.yaml."""
    return yaml.safe_load(read_env(env_file).output.training_result_file.read_text(encoding='utf-8'))


def scalars_of(env_file: Path) -> dict[str, Sequence[float]]:
    """Return what a training wrote for tensorboard: the values of each tag in their order."""
    events = EventAccumulator(str(read_env(env_file).output.tensorboard_dir)).Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()['scalars']}


def detections_of(env_file: Path) -> dict[str, Any]:
    """Return the images of infer-result.json."""
    text = read_env(env_file).output.infer_result_file.read_text(encoding='utf-8')
    return json.loads(text)['detection']


def ranking_of(env_file: Path) -> list[list[str]]:
    """Return result.tsv's rows: image, score."""
    lines = read_env(env_file).output.mining_result_file.read_text(encoding='utf-8').splitlines()
    return [line.split('\t') for line in lines]
