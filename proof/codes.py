"""Prove that a task tells by its code what is wrong with the GPU that it asks for."""

from __future__ import annotations

from typing import Dict, Mapping

import torch

from executor.contract.env import read_env
from proof.bench import STAND_INS, Bench, small_task
from proof.table import Outcome, judged

GOAL_MISMATCH = 'code 300101: this build of torch cannot use the GPU'
GOAL_NO_GPU = 'code 300102: there is no such GPU'


def prove_mismatch(bench: Bench) -> Outcome:
    """Ask for a GPU that torch cannot use: a build for CPUs can use none, any other is made to say so."""
    environ = {'PYTHONPATH': str(STAND_INS), 'PROOF_TAKES': 'gpu'} if torch.version.cuda else {}
    return _told(bench, 'code-300101', 300101, {'gpu_id': '0', 'gpu_count': 1}, environ)


def prove_no_gpu(bench: Bench) -> Outcome:
    """Ask for one GPU more than there are."""
    if bench.on_gpu:
        return _told(bench, 'code-300102', 300102, {'gpu_id': str(bench.gpus), 'gpu_count': 1}, {})
    return _told(bench, 'code-300102', 300102, {'gpu_id': '1', 'gpu_count': 1}, {'CUDA_VISIBLE_DEVICES': '0'})


def _told(bench: Bench, name: str, code: int, config: Dict[str, object], environ: Mapping[str, str]) -> Outcome:
    env_file = small_task(bench.place(name), **config)
    ended = bench.start(env_file, environ=environ)
    columns = read_env(env_file).output.monitor_file.read_text(encoding='utf-8').splitlines()[0].split('\t')
    told = f'exit status {ended.status}, ' + (f'code {columns[4]}: {columns[5]}' if len(columns) > 5 else 'no code')
    return judged(told, ended.status == 1 and columns[4:5] == [str(code)])
