"""What all proofs share: the device, how much to do on it, folders, and tasks to run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, NamedTuple, Sequence, Tuple, TypeVar

from demo import shapes
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.params import Job
from executor.contract.progress import silent_progress
from executor.machine.cores import available_cores
from proof.apart import run_apart

T = TypeVar('T')

REPOSITORY = Path(__file__).resolve().parents[1]
STAND_INS = Path(__file__).resolve().parent / 'stand_ins'
Config = Dict[str, Any]  # parameters of config.yaml

ON_CPU: Config = {'gpu_id': '', 'gpu_count': 0}
SECONDS = 420.0  # that a proof may take
WORKERS = 4  # that load images for a GPU, at most


@dataclass(frozen=True)
class Sizes:
    """How much is done: a GPU would hardly begin with what a CPU takes seconds for."""

    side: int  # of the network's input, in pixels
    train_images: int
    val_images: int
    epochs: int
    batch: int
    threads: int  # of a training on the CPU, whose images are small: more would wait for each other
    noise: float  # by which AP50 may be below the CPU's: see docs/gpu.md
    candidates: int
    fast_model: str  # whose speed is measured
    fast_side: int
    fast_images: int
    fast_batch: int


SIZES = {
    'cpu': Sizes(
        side=128,
        train_images=96,
        val_images=40,
        epochs=12,
        batch=4,
        threads=1,
        noise=0.2,
        candidates=32,
        fast_model='nano',
        fast_side=128,
        fast_images=32,
        fast_batch=8,
    ),
    'cuda': Sizes(
        side=192,
        train_images=240,
        val_images=120,
        epochs=16,
        batch=8,
        threads=4,
        noise=0.15,
        candidates=200,
        fast_model='s',
        fast_side=640,
        fast_images=384,
        fast_batch=16,
    ),
}


class Ended(NamedTuple):
    """How a task that start.py ran came to its end."""

    status: int
    log: str


@dataclass(frozen=True)
class Bench:
    """The place where proofs are made. Each runs in a process of its own, and leaves files for those after it."""

    device: str  # cuda or cpu
    gpus: int
    folder: Path
    sizes: Sizes
    log: Path  # of the proof that is made

    @property
    def on_gpu(self) -> bool:
        """Tell whether it is about a GPU."""
        return self.device == 'cuda'

    @property
    def config(self) -> Config:
        """Give what config.yaml says of the device: the first GPU, or none."""
        return self.on_gpus(1) if self.on_gpu else ON_CPU

    def on_gpus(self, count: int) -> Config:
        """Give what config.yaml says of several GPUs."""
        return {'gpu_id': ','.join(map(str, range(count))), 'gpu_count': count}

    def place(self, name: str) -> Path:
        """Give a folder for a task, which nobody else uses."""
        return self.folder / 'tasks' / name

    def start(self, env_file: Path, *options: str, environ: Mapping[str, str] = {}) -> Ended:  # noqa: B006
        """Run a task by start.py to its end; its output goes into the log, and into a file of the task's."""
        command = [sys.executable, 'start.py', '--env', str(env_file), *options]
        done = subprocess.run(
            command,
            cwd=str(REPOSITORY),
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
        )
        for file in (self.log, log_of(env_file)):
            with file.open('a', encoding='utf-8', errors='replace') as stream:
                stream.write(done.stdout)
        return Ended(done.returncode, done.stdout)

    def apart(self, make: Callable[[], T]) -> T:
        """Run a step of a proof in a process of its own, which gives its memory back."""
        return run_apart(make, self.log, SECONDS)


def log_of(env_file: Path) -> Path:
    """Give the file with what start.py printed for a task."""
    return env_file.parents[1] / 'task.log'


def model_of(folder: Path) -> Tuple[str, ...]:
    """List the files of a training's best stage."""
    from desk.weights import model_files

    return tuple(str(file) for file in model_files([folder]))


def small_task(folder: Path, **config: Any) -> Path:
    """Write a training of three images."""
    return shapes.write_task(folder, 2, 1, max_epochs=1, samples_per_gpu=1, workers_per_gpu=0, **config)


def detect_here(env_file: Path) -> None:
    """Run an inference or a mining in this process, as the worker does."""
    from executor.detection.detect import detect

    detect(job_of(env_file), silent_progress(), available_cores())


def job_of(env_file: Path) -> Job:
    """Read a task."""
    return read_job(read_env(env_file))


def mean(values: Sequence[float]) -> float:
    """Average."""
    return sum(values) / len(values)
