"""Prove that mining ranks images on the device as on the CPU."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Callable, Dict

from executor.contract.env import read_env
from mining.catalog import ALGORITHMS
from proof.agreement import rank_correlation
from proof.bench import ON_CPU, Bench, detect_here
from proof.inference import write_candidates
from proof.table import Outcome, judged

_LEAST = 0.999
GOAL = f"rank correlation (Spearman's) with the CPU of at least {_LEAST}"


def prove(algorithm: str, bench: Bench) -> Outcome:
    """Mine on the CPU and on the device with the model that the CPU trained."""
    theirs, ours = (_scores(bench, algorithm, where) for where in ('cpu', 'device'))
    images = sorted(theirs)
    assert set(ours) == set(images), 'every image is scored'
    found = rank_correlation([ours[image] for image in images], [theirs[image] for image in images])
    different = len(set(theirs.values()))
    return judged(f'{found:.5f} over {len(images)} images, {different} different scores', found >= _LEAST)


def _scores(bench: Bench, algorithm: str, where: str) -> Dict[str, float]:
    config = ON_CPU if where == 'cpu' else bench.config
    name = f'mining-{algorithm}-{where}'
    env_file = write_candidates(bench, name, mining=True, mining_algorithm=algorithm, samples_per_gpu=16, **config)
    bench.apart(lambda: detect_here(env_file))
    rows = read_env(env_file).output.mining_result_file.read_text(encoding='utf-8').splitlines()
    return {Path(image).name: float(score) for image, score in (row.split('\t') for row in rows)}


BY_ALGORITHM: Dict[str, Callable[[Bench], Outcome]] = {name: partial(prove, name) for name in ALGORITHMS}
