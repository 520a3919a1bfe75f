"""Prove that a batch is halved where the memory of a GPU ends, by leaving a process less than it needs.

On a CPU stands for it that more than half the batch is refused, in torch's words.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import List, Sequence
from unittest import mock

import torch

from demo import shapes
from executor.contract.env import read_env
from executor.contract.progress import silent_progress
from executor.images.loader import LoadedImage
from executor.images.prepare import Prepared
from proof.agreement import share_of_same_boxes
from proof.bench import STAND_INS, Bench, Config, detect_here, job_of
from proof.inference import read_result, write_candidates
from proof.table import Outcome, judged
from proof.training import last_line

GOAL_TRAINING = 'it begins again with half the batch, until it fits, and ends well'
GOAL_INFERENCE = 'the batch is halved until it fits; 99% of the boxes as without that'
_PART = 0.6  # of the memory that the whole batch took
_BATCH = {'cpu': 4, 'cuda': 64}


def prove_training(bench: Bench) -> Outcome:
    """Train with less memory than the batch takes."""
    batch = _BATCH[bench.device]
    config: Config = {
        'max_epochs': 1,
        'samples_per_gpu': batch,
        'workers_per_gpu': 0,
        'export_onnx': 'off',
        'cfg_options': shapes.size_options(bench.sizes.side // 64 * 64, 32),
        **bench.config,
    }
    whole, less = (
        shapes.write_task(bench.place(f'memory-training-{name}'), batch, 2, **config) for name in ('whole', 'less')
    )
    if bench.on_gpu:
        peak = bench.apart(lambda: _bytes_of_training(whole))
        takes, told = f'bytes:{int(_PART * peak)}', _megabytes(peak)
    else:
        takes, told = f'images:{batch // 2}', f'{batch // 2} images fit: '
    ended = bench.start(less, environ={'PYTHONPATH': str(STAND_INS), 'PROOF_TAKES': takes})
    batches = [str(batch), *re.findall(r'beginning again with half the batch: samples_per_gpu (\d+)', ended.log)]
    told += f'batches of {", ".join(batches)}; ' + ('it trained' if not ended.status else last_line(ended.log))
    return judged(told, not ended.status and len(batches) > 1)


def prove_inference(bench: Bench) -> Outcome:
    """Infer with as much memory as the batch takes, then with less."""
    batch = _BATCH[bench.device]
    files = {}
    for name in ('whole', 'less'):
        files[name] = write_candidates(
            bench, f'memory-inference-{name}', conf_threshold=0.04, samples_per_gpu=batch, **bench.config
        )
    peak = bench.apart(lambda: _detect(files['whole'], bench.on_gpu))
    if bench.on_gpu:
        bench.apart(lambda: _detect_in_bytes(files['less'], int(_PART * peak)))
    else:
        bench.apart(lambda: _detect_in_halves(files['less'], batch // 2))
    whole, less = (read_result(read_env(file).output.infer_result_file) for file in files.values())
    share = share_of_same_boxes(whole, less, least=0.05)
    halved = re.findall(r'out of GPU memory with (\d+) images at a time: going on with (\d+)', bench.log.read_text())
    steps = ', '.join(f'{before} to {after}' for before, after in halved)
    told = _megabytes(peak) if bench.on_gpu else ''
    told += f'halved from {steps}' if halved else 'never halved'
    told += f'; {share:.2%} of {sum(map(len, whole.values()))} boxes are the same'
    return judged(told, bool(halved) and share >= 0.99)


def _megabytes(peak: int) -> str:
    return f'{_PART * peak / 2**20:.0f} MB left of {peak / 2**20:.0f}: '


def _bytes_of_training(env_file: Path) -> int:
    """Train in this process, and tell what memory of the GPU that took."""
    from executor.training.train import train

    train(job_of(env_file), silent_progress())
    return torch.cuda.max_memory_reserved()


def _detect(env_file: Path, on_gpu: bool) -> int:
    detect_here(env_file)
    return torch.cuda.max_memory_reserved() if on_gpu else 0


def _detect_in_bytes(env_file: Path, most: int) -> None:
    torch.cuda.set_per_process_memory_fraction(most / torch.cuda.get_device_properties(0).total_memory)
    detect_here(env_file)


def _detect_in_halves(env_file: Path, most: int) -> None:
    """Detect on the CPU in whole batches, as on a GPU, more than `most` of which find no memory."""
    from executor.detection.work import DetectAndScore
    from executor.detector.detector import Detector

    forward = Detector.forward

    def whole(work: DetectAndScore, images: Sequence[LoadedImage]) -> List[List[LoadedImage]]:
        return [list(images)] if images else []

    def refusing(detector: Detector, images: Sequence[Prepared]) -> object:
        if len(images) > most:
            raise RuntimeError(f'CUDA out of memory. Tried to allocate room for {len(images)} images')
        return forward(detector, images)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(DetectAndScore, 'units', whole))
        stack.enter_context(mock.patch.object(Detector, 'forward', refusing))
        detect_here(env_file)
