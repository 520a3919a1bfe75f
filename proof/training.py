"""Prove that a device trains as the CPU does: to the same AP but for noise, without a loss that is no number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml

from demo import shapes
from executor.contract.env import read_env
from proof.bench import ON_CPU, WORKERS, Bench, Config, log_of
from proof.table import Outcome, judged

_LEAST = 0.1  # AP50 of the reference, below which it has learned nothing that could be compared
_LEARNING_RATE = 'optim_wrapper.optimizer.lr=0.02'  # from scratch and small, so higher than the linear rule's
REFERENCE = 'reference'  # the folder of the training on the CPU

GOAL = f'it learns: AP50 of at least {_LEAST}'
GOAL_LIKE_CPU = 'AP50 is that of the CPU in single precision, or at most noise below it; all losses are finite'


class Trained(NamedTuple):
    """What a training came to."""

    ap_50: float
    ap: float
    finite: bool  # all losses that the log tells
    images: float  # a second, in the last epoch


def prove_reference(bench: Bench) -> Outcome:
    """Train on the CPU."""
    found = _train(bench, REFERENCE, ON_CPU)
    return judged(_told(found), found.ap_50 >= _LEAST and found.finite)


def prove_mixed(bench: Bench) -> Outcome:
    """Train on one GPU in mixed precision, and once more in single precision, which says whose a difference is."""
    found, single = _train(bench, 'mixed', bench.config), _train(bench, 'single', bench.config, _SINGLE)
    told = f'{_told(found)}; in single precision {_told(single)}; {_compared(bench)}'
    return judged(told, found.finite and _like_the_cpu(bench, found))


def prove_two_ranks(bench: Bench) -> Outcome:
    """Train on two GPUs, or where there are none by two processes, with half the batch each."""
    config = bench.on_gpus(2) if bench.on_gpu else ON_CPU
    options = () if bench.on_gpu else ('--cpu-ranks', '2')
    found = _train(bench, 'two-ranks', {**config, 'samples_per_gpu': bench.sizes.batch // 2}, '', *options)
    return judged(f'{_told(found)}; {_compared(bench)}', found.finite and _like_the_cpu(bench, found))


_SINGLE = 'optim_wrapper.type=OptimWrapper'


def _train(bench: Bench, name: str, config: Config, cfg_options: str = '', *options: str) -> Trained:
    sizes, folder = bench.sizes, bench.place(name)
    settings: Config = {
        'max_epochs': sizes.epochs,
        'samples_per_gpu': sizes.batch,
        'workers_per_gpu': WORKERS,
        'val_interval': sizes.epochs,
        'export_onnx': 'off',
        'cfg_options': f'{_LEARNING_RATE} {shapes.size_options(sizes.side, 32)} {cfg_options}',
    }
    env_file = shapes.write_task(folder, sizes.train_images, sizes.val_images, **{**settings, **config})
    environ = {} if config['gpu_count'] else {'OMP_NUM_THREADS': str(sizes.threads)}
    ended = bench.start(env_file, *options, environ=environ)
    if ended.status:
        raise RuntimeError(f'start.py ended with {ended.status}: {last_line(ended.log)}')
    return _read(env_file, ended.log)


def _read(env_file: Path, log: str) -> Trained:
    result = yaml.safe_load(read_env(env_file).output.training_result_file.read_text(encoding='utf-8'))
    losses, images = zip(*re.findall(r'epoch \d+ of \d+: (loss .*?), learning.*?; ([\d.]+) images/s', log))
    finite = not re.search(r'\b(nan|inf)\b', ' '.join(losses))
    return Trained(float(result['mAP']), float(re.findall(r', AP ([\d.]+),', log)[-1]), finite, float(images[-1]))


def last_line(log: str) -> str:
    """Give the last line of a log, which says why a task failed."""
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else 'nothing was printed'


def _of_reference(bench: Bench) -> Trained:
    env_file = bench.place(REFERENCE) / 'in' / 'env.yaml'
    return _read(env_file, log_of(env_file).read_text(encoding='utf-8'))


def _like_the_cpu(bench: Bench, found: Trained) -> bool:
    return found.ap_50 >= _of_reference(bench).ap_50 - bench.sizes.noise


def _compared(bench: Bench) -> str:
    return f'the CPU {_of_reference(bench).ap_50:.3f}, noise {bench.sizes.noise}'


def _told(found: Trained) -> str:
    finite = '' if found.finite else ', a loss is no finite number'
    return f'AP50 {found.ap_50:.3f}, AP {found.ap:.3f}{finite}, {found.images:.0f} images/s'
