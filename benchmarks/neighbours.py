"""Speed beside busy neighbours: tasks on the CPU, quiet and beside a loop a core that never rests, in turn.

`make benchmark` runs it and writes its section of docs/benchmarks.md. Nothing else may compute meanwhile. Each task is
started once for each way of waiting, and stands still while another is measured: together they take 12 GB of memory.
Images as in `inference.py` and `training.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from benchmarks import inference, training
from benchmarks.inference import CORES
from benchmarks.page import REPOSITORY, machine, table, write_section
from demo.shapes import CONFIG_FILE
from demo.task_folder import write_config
from desk.task_folder import write_env, write_index
from executor.process.node import ALONE
from executor.process.worker import SPIN_COUNT

TRAINING, INFERENCE, PREDICTION = 'training', 'inference', "inference by mmdet's `predict`"
SHORT, SPINNING, PASSIVE = 'as the image sets it', "libgomp's own", 'passive'
# What the worker sets before torch is there; here torch comes first. 300,000 is what libgomp has by itself.
WAYS = {
    SHORT: {'GOMP_SPINCOUNT': SPIN_COUNT},
    SPINNING: {'GOMP_SPINCOUNT': '300000'},
    PASSIVE: {'OMP_WAIT_POLICY': 'passive'},
}
CONTENDERS = [(TRAINING, way) for way in WAYS] + [(INFERENCE, SHORT), (PREDICTION, SHORT)]
LOOPS = ('a loop a core', '')  # in place of a task: what it has of the cores is a fair share

ENDLESS = 10**5  # epochs and images of a task: it is killed when it has been measured
# Training images of one size, so that steps can be compared: mmdet draws another every ten steps.
ONE_SIZE = ' '.join(
    f'model.data_preprocessor.batch_augments.0.{setting}' for setting in ('interval=1', "random_size_range='(416,416)'")
)
QUIET_SECONDS, BUSY_SECONDS = 8.0, 12.0  # of a measurement, of which the first quarter warms up
TICKS = os.sysconf('SC_CLK_TCK')


_MEASURED_ONCE = (
    'Measured once, 2026-11-26, four times each: spinning 10,000 rounds a training made 14.2 images/s quiet and 3.9',
    'busy, with a single thread 10.3 and 5.1, where 1,000 rounds made 13.9 and 4.6.',
    '',
    'Inference in ONNX Runtime has a thread an image, and none waits for another. Beside one loop on two cores it had',
    '1.00 cores, and of each as many images as when quiet: two plain loops in its place had 0.96 to 0.99, since the',
    'kernel leaves the loop a core of its own. Readers at a lower priority (nice 10, SCHED_IDLE) changed nothing. With',
    'the threads of the detector bound to a core each it had 1.27 cores (one round), but beside two neighbours no more',
    'than without. They are not bound: several tasks that are told to use few cores would be bound to the same.',
)


class Rate(NamedTuple):
    """What a task did."""

    images: float  # a second
    cores: float  # that it had


class Running:
    """A task in a session of its own, which stands still but while it is measured."""

    def __init__(self, command: Sequence[str], way: Mapping[str, str]) -> None:
        own = {name: value for name, value in os.environ.items() if not re.match('OMP_|GOMP_', name)}
        self._process = subprocess.Popen(
            command,
            cwd=str(REPOSITORY),
            env={**own, **way},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._steps: List[Tuple[float, int]] = []  # when so many images were done
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for_images(self) -> None:
        """Let it start."""
        while len(self._steps) < 3:
            if self._process.poll() is not None:
                raise RuntimeError('the task has ended before it was measured')
            time.sleep(0.1)

    def stand_still(self) -> None:
        """Stop all its processes."""
        self._signal(signal.SIGSTOP)

    def measure(self, seconds: float) -> Rate:
        """Let it go on for so long."""
        self._signal(signal.SIGCONT)
        time.sleep(seconds / 4)
        begin, used = time.monotonic(), self._used()
        time.sleep(seconds * 3 / 4)
        end, used = time.monotonic(), self._used() - used
        self.stand_still()
        steps = [(at, images) for at, images in self._steps if begin <= at <= end]
        rate = (steps[-1][1] - steps[0][1]) / (steps[-1][0] - steps[0][0]) if len(steps) > 1 else 0.0
        return Rate(rate, used / (end - begin))

    def end(self) -> None:
        """Kill it."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            step = re.search(r'epoch (\d+) of \d+, iteration (\d+) of (\d+)', line)
            swept = re.search(r'(\d+) of \d+ images, ', line)
            if step:
                epoch, iteration, iterations = map(int, step.groups())
                self._steps.append((time.monotonic(), ((epoch - 1) * iterations + iteration) * training.BATCH))
            elif swept:
                self._steps.append((time.monotonic(), int(swept[1])))

    def _processes(self) -> Iterator[Tuple[int, List[str]]]:
        """Give the processes of its session, and what the kernel says of each after its name."""
        for folder in Path('/proc').glob('[0-9]*'):
            with contextlib.suppress(OSError):
                fields = (folder / 'stat').read_text().rpartition(')')[2].split()
                if int(fields[3]) == self._process.pid:
                    yield int(folder.name), fields

    def _used(self) -> float:
        """Sum the seconds of CPU that its processes have had."""
        return sum(int(fields[11]) + int(fields[12]) for _, fields in self._processes()) / TICKS

    def _signal(self, number: signal.Signals) -> None:
        for process, _ in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=3, help='times each is measured, in turn')
    parser.add_argument('--run', nargs=2, metavar=('TASK', 'ENV_FILE'), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        return run_task(args.run[0], Path(args.run[1]))
    running: Dict[Tuple[str, str], Running] = {}
    rates: Dict[Tuple[str, str, int], List[Rate]] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for number, (name, way) in enumerate(CONTENDERS):
                env_file = write_task(name, Path(folder) / str(number))
                command = [sys.executable, '-m', 'benchmarks.neighbours', '--run', name, str(env_file)]
                running[name, way] = Running(command, WAYS[way])
                running[name, way].wait_for_images()
                running[name, way].stand_still()
            running[LOOPS] = Running(['sh', '-c', f'{"yes > /dev/null & " * CORES} wait'], {})
            running[LOOPS].stand_still()
            for _ in range(args.rounds):
                for key, rate in measure(running).items():
                    rates.setdefault(key, []).append(rate)
        finally:
            for task in running.values():
                task.end()
    write_section('Busy neighbours', describe(rates))


def measure(running: Mapping[Tuple[str, str], Running]) -> Dict[Tuple[str, str, int], Rate]:
    """Measure each once without neighbours, and once beside as many as there are cores."""
    rates = {(*key, 0): task.measure(QUIET_SECONDS) for key, task in running.items()}
    with neighbours(CORES):
        rates.update({(*key, CORES): task.measure(BUSY_SECONDS) for key, task in running.items()})
    return rates


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Run busy loops beside the block, each in a session of its own, which the kernel gives as much as a whole task."""
    loops = [subprocess.Popen(['yes'], stdout=subprocess.DEVNULL, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def write_task(name: str, root: Path) -> Path:
    """Write a task that does not end, and return its env.yaml."""
    if name == TRAINING:
        weights = training.WEIGHTS if training.WEIGHTS.is_file() else None
        return training.write_task(root, ENDLESS, weights, val_interval=ENDLESS, cfg_options=ONE_SIZE)
    root.mkdir(parents=True)
    write_config(
        root,
        class_names=inference.CLASSES,
        config_file=CONFIG_FILE,
        model_params_path=[str(inference.nano_weights(root))],
        workers_per_gpu=CORES,
    )
    write_index(root, 'candidate-index.tsv', ([image] for image in inference.image_files(root, ENDLESS)))
    return write_env(root, training=False, infer=True, assets=inference.ASSETS)


def run_task(name: str, env_file: Path) -> None:
    """Run a task as its worker does, but with a line in the log for every step."""
    from executor.contract.config_yaml import read_job
    from executor.contract.env import read_env
    from executor.machine.cores import available_cores
    from executor.process import worker

    job = read_job(read_env(env_file))
    worker._set_environment(job, 1, available_cores())  # before these import torch
    from executor.detection import detect, sweep
    from executor.detector.load import MMDET, load_detector
    from executor.training import progress_hook

    progress_hook._LOG_SECONDS = sweep._LOG_SECONDS = 0.0
    if name == PREDICTION:
        detect.load_detector = partial(load_detector, backend=MMDET)
    worker.work(job, 1, ALONE, get_context('spawn').SimpleQueue())


def describe(rates: Mapping[Tuple[str, str, int], Sequence[Rate]]) -> List[str]:
    """What was measured how, and a row a task and way of waiting."""
    images = {key: statistics.median(rate.images for rate in measured) for key, measured in rates.items()}
    cores = {key: statistics.median(rate.cores for rate in measured) for key, measured in rates.items()}
    fair = cores[(*LOOPS, CORES)] / CORES
    rows = []
    for name, way in CONTENDERS:
        alone = images[name, SPINNING if name == TRAINING else way, 0]  # before any other way of waiting
        quiet, busy = (name, way, 0), (name, way, CORES)
        each = ('; '.join(', '.join(f'{rate.images:.1f}' for rate in rates[key]) for key in (quiet, busy)),)
        shares = (f'{images[quiet] / alone:.2f}', f'{images[busy] / alone / fair:.2f}')
        rows.append((name, way, f'{images[quiet]:.1f}', f'{images[busy]:.1f}', *shares, f'{cores[busy]:.2f}', *each))
    head = ('task', 'threads wait', 'quiet', 'busy', "quiet over libgomp's own", 'busy over the fair share')
    return [
        f'YOLOX-nano, images/s, quiet and beside {CORES} busy loops, each in a session of its own, to which the kernel',
        f'gives as much as to the whole task: plain loops in its place had {fair:.2f} of the cores, a fair share.',
        'Training on images of 416 × 416, with the threads of OpenMP spinning for each other in three ways before they',
        'sleep: 1,000 rounds, which the image sets, 300,000 and none.',
        '',
        f'{machine()}.',
        '',
        *table((*head, 'cores when busy', 'each round: quiet; busy'), rows),
        '',
        *_MEASURED_ONCE,
    ]


if __name__ == '__main__':
    main()
