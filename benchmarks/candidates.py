"""A pool of a million candidates: reading its index, writing and merging the parts of any number of ranks.

`make benchmark` runs it and writes its section of docs/benchmarks.md. The detector is left out: each image has ten
boxes drawn by chance, and a score. The ranks run one after the other, so seconds are those of all of them together.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence
from unittest import mock

import numpy as np

from benchmarks.page import REPOSITORY, machine, table, write_section
from demo.task_folder import write_config
from desk.task_folder import write_env
from executor import dist
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.index import read_candidate_index
from executor.contract.output.infer_result import ResultKeys
from executor.contract.params import Job
from executor.detection.infer import InferSink
from executor.detection.mine import MiningSink
from executor.detection.sweep import Outcome, Result, share_of_rank
from executor.detections import Detections
from mining.random import RandomScorer

RANKS = (1, 4, 16)
BOXES = 10
SIZE = (640, 480)
_STEPS = ('read the index', 'keys', 'write the parts', 'merge', 'read back')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--lines', type=int, default=1_000_000, help='candidates; a tenth for comparison')
    parser.add_argument('--task', type=Path, help='only measure the results of this task, and print it as JSON')
    parser.add_argument('--ranks', type=int, default=1)
    args = parser.parse_args()
    if args.task:
        print(json.dumps(measure(read_job(read_env(args.task)), args.ranks)))
        return
    found: Dict[str, Dict[str, float]] = {}
    for lines in (args.lines // 10, args.lines):
        with tempfile.TemporaryDirectory() as folder:
            env_file = write_task(Path(folder), lines)
            for ranks in RANKS if lines == args.lines else RANKS[:1]:
                found[f'{lines:,}, {ranks}'] = measured_apart(env_file, ranks)
    write_section('A million candidates', describe(found))


def write_task(root: Path, lines: int) -> Path:
    """A task to mine and infer so many candidates, none of which is there."""
    with (root / 'candidates.tsv').open('w', encoding='utf-8') as index:
        for number in range(lines):
            index.write(f'/in/assets/{number * 2654435761 % 2**32:08x}{number:032x}.jpg\n')
    write_config(root, class_names=['circle', 'square', 'triangle'], mining_algorithm='random', model_params_path=[])
    env_file = write_env(root, training=False, mining=True, infer=True)
    index = root / 'in' / 'candidate-index.tsv'
    (root / 'candidates.tsv').replace(index)
    return env_file


def measured_apart(env_file: Path, ranks: int) -> Dict[str, float]:
    """Measure in a process of its own, whose memory nobody else has used."""
    command = [sys.executable, '-m', 'benchmarks.candidates', '--task', str(env_file), '--ranks', str(ranks)]
    run = subprocess.run(command, cwd=str(REPOSITORY), check=True, stdout=subprocess.PIPE, text=True)
    result: Dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    print(ranks, result, flush=True)
    return result


def measure(job: Job, ranks: int) -> Dict[str, float]:
    """Seconds of each step, MB that they took beside the libraries, and the size of the larger result."""
    env, found = job.env, {}
    assert job.infer is not None and job.mining is not None and env.input.candidate_index_file is not None
    before = megabytes('VmRSS')
    with timed(found, 'read the index'):
        index = read_candidate_index(env.input.candidate_index_file)
    with timed(found, 'keys'):
        keys = ResultKeys(index)
    sinks: List[List[Any]] = []
    for rank in range(ranks):
        with as_rank(rank, ranks, []):
            share = share_of_rank(len(index))
            sinks.append(
                [
                    MiningSink(env, job.mining, index, RandomScorer(1)),
                    InferSink(env, job.infer, index, share, keys if rank == 0 else None),
                ]
            )
            with timed(found, 'write the parts'):
                for outcome in outcomes(share):
                    for sink in sinks[-1]:
                        sink.write(outcome)
            for sink in sinks[-1]:
                sink._part.close()  # in a task `finish` does that on every rank
    with timed(found, 'merge'):
        for kind in (0, 1):
            with as_rank(0, ranks, [rank[kind]._found for rank in sinks]):
                sinks[0][kind].finish()
    found['MB'] = megabytes('VmHWM') - before
    found['MB of the result'] = env.output.infer_result_file.stat().st_size / 1e6
    with timed(found, 'read back'), env.output.infer_result_file.open(encoding='utf-8') as stream:
        assert len(json.load(stream)['detection']) == len(index)
    with env.output.mining_result_file.open(encoding='utf-8') as stream:
        assert sum(1 for _ in stream) == len(index)
    return found


def outcomes(share: Sequence[int]) -> Iterator[Outcome]:
    """Give each image boxes and a score that depend on its place alone."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 300, (997, BOXES, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + rng.uniform(5, 150, low.shape).astype(np.float32)], axis=2)
    scores = -np.sort(-rng.uniform(0.3, 1, (997, BOXES)).astype(np.float32), axis=1)
    labels = rng.integers(0, 3, (997, BOXES))
    for position in share:
        row = position % 997
        found = Detections(boxes[row], scores[row], labels[row])
        score = position * 2654435761 % 2**32 / 2**32
        yield Outcome(position, size=SIZE, result=Result(found, score, counted=found))


@contextlib.contextmanager
def as_rank(rank: int, ranks: int, gathered: Sequence[Any]) -> Iterator[None]:
    """Let the block be one of several ranks; what it gathers is given."""
    one = {'rank': lambda: rank, 'world_size': lambda: ranks, 'gather': lambda value: list(gathered)}
    with mock.patch.multiple(dist, **one):
        yield


@contextlib.contextmanager
def timed(seconds: Dict[str, float], step: str) -> Iterator[None]:
    """Add the seconds of the block to those of a step."""
    started = time.perf_counter()
    yield
    seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - started


def megabytes(name: str) -> float:
    """Read a line of this process's status, in MB."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


def describe(found: Dict[str, Dict[str, float]]) -> List[str]:
    rows = [
        [name, *(f'{result[step]:.1f}' for step in _STEPS), f'{result["MB"]:.0f}', f'{result["MB of the result"]:.0f}']
        for name, result in found.items()
    ]
    return [
        f'Mining and inference without a detector: {BOXES} boxes an image. Seconds of all ranks together, which run',
        'one after the other here; memory is that of all ranks in one process, beside the libraries.',
        '',
        f'{machine()}.',
        '',
        *table(('candidates, ranks', *_STEPS, 'MB', 'MB of infer-result.json'), rows),
    ]


if __name__ == '__main__':
    main()
