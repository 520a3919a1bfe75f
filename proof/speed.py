"""Measure what a GPU waits for: inference against its network alone, a training against the same without loading."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple
from unittest import mock

import cv2
import torch
from torch.utils.data import DataLoader

from demo import shapes
from desk.task_folder import write_env
from executor.contract.env import read_env
from executor.contract.params import InferParams
from executor.contract.progress import silent_progress
from executor.machine.cores import available_cores
from proof.apart import Failed
from proof.bench import WORKERS, Bench, Config, job_of, mean, model_of
from proof.table import Outcome, Verdict, fast_enough, judged

_OF_THE_NETWORK = 0.85
_WAITING = 0.05
_BATCHES = (8, 16, 32, 64, 128)  # of the network alone on a GPU
_SIZE = (640, 480)  # width and height of the images that inference reads
_EPOCHS = 3  # of a training, the first to warm up
_TRAINED = 'speed-training'  # the folder whose model inference takes

GOAL_WAITING = f'at most {_WAITING:.0%} of a step with images from the loader is waiting for them'
GOAL_MIXED = 'mixed precision is faster than single'
GOAL_INFERENCE = f'the whole inference makes {_OF_THE_NETWORK:.0%} of what its network does alone at its best batch'


class Steps(NamedTuple):
    """Of a training, its first epoch aside."""

    seconds: float  # a step, with the wait for its images, on average
    images: float  # a second


def prove_waiting(bench: Bench) -> Outcome:
    """Train with images from the loader, and with one batch again and again."""
    real = _steps(bench, _TRAINED)
    repeated = _steps(bench, 'speed-repeated', repeat=True)
    wait = 1 - repeated.seconds / real.seconds
    told = (
        f'{_name(bench)}, batch {bench.sizes.fast_batch}: a step takes {1e3 * real.seconds:.1f} ms, '
        f'{real.images:.0f} images/s; with one batch again and again {1e3 * repeated.seconds:.1f} ms: '
        f'{max(0.0, wait):.1%} of the time is waiting for images'
    )
    return fast_enough(told, wait <= _WAITING)


def prove_mixed(bench: Bench) -> Outcome:
    """Train with one batch again and again, in mixed and in single precision."""
    mixed = _steps(bench, 'speed-mixed', repeat=True)
    try:
        single = _steps(bench, 'speed-single', repeat=True, cfg_options='optim_wrapper.type=OptimWrapper')
    except Failed as error:
        if 'out of memory' not in str(error):
            raise
        return Outcome('its memory is too small for single precision', Verdict.NOT_HERE)
    told = (
        f'{_name(bench)}: a step takes {1e3 * mixed.seconds:.1f} ms, in single precision {1e3 * single.seconds:.1f} '
        f'ms: {single.seconds / mixed.seconds:.2f} times as fast'
    )
    return fast_enough(told, mixed.seconds < single.seconds)


def prove_inference(bench: Bench) -> Outcome:
    """Infer, and run the network alone."""
    whole, told = bench.apart(lambda: _inference(bench))
    batch, alone = bench.apart(lambda: _network(bench))
    words = (
        f'{_name(bench)}, images of {_SIZE[0]} x {_SIZE[1]} on {available_cores()} cores: {whole:.0f} images/s, the '
        f'network alone {alone:.0f} at batch {batch}: {whole / alone:.2f}; {told}'
    )
    return judged(words, False) if not whole else fast_enough(words, whole / alone >= _OF_THE_NETWORK)


def _name(bench: Bench) -> str:
    return f'YOLOX-{bench.sizes.fast_model} at {bench.sizes.fast_side}'


def _steps(bench: Bench, name: str, repeat: bool = False, cfg_options: str = '') -> Steps:
    sizes, side = bench.sizes, bench.sizes.fast_side
    sized = 'model.data_preprocessor.batch_augments.0'
    settings: Config = {
        'config_file': f'configs/yolox/yolox_{sizes.fast_model}_8x8_300e_coco.py',
        'max_epochs': _EPOCHS,
        'samples_per_gpu': sizes.fast_batch,
        'workers_per_gpu': _workers(bench),
        'export_onnx': 'off',
        'args_options': '--no-validate',
        # One size for all batches, and the mosaic to the last epoch.
        'cfg_options': f'{shapes.size_options(side)} {sized}.interval=1 {sized}.random_size_range=({side},{side}) '
        f'custom_hooks.0.num_last_epochs=-1 {cfg_options}',
        **bench.config,
    }
    env_file = shapes.write_task(bench.place(name), sizes.fast_images, 1, **settings)
    threads = 0 if bench.on_gpu else sizes.threads
    return bench.apart(lambda: _train(env_file, repeat, threads))


def _workers(bench: Bench) -> int:
    return min(WORKERS, available_cores()) if not bench.on_gpu else max(1, available_cores() // bench.gpus - 1)


def _train(env_file: Path, repeat: bool, threads: int) -> Steps:
    """Train in this process and time the steps, each from the end of the one before; all but an epoch's first.

    `threads`: of a CPU, 0 where a GPU trains.
    """
    from executor.training import train as training
    from executor.training.waiting_hook import WaitingHook

    if threads:
        torch.set_num_threads(threads)
    steps: List[List[float]] = []  # when each began to wait and when the last ended, of each epoch
    images = 0

    class Timed(WaitingHook):
        def before_train_epoch(self, runner: Any) -> None:
            super().before_train_epoch(runner)
            steps.append([])

        def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any, outputs: object = None) -> None:
            nonlocal images
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            steps[-1].append(time.perf_counter())
            images = len(data_batch['inputs'])

    iterate = DataLoader.__iter__
    first: List[Any] = []  # a batch

    def repeated(loader: DataLoader) -> Iterator[Any]:
        if not first:
            first.append(next(iterate(loader)))
        return itertools.repeat(first[0], len(loader))

    with mock.patch.object(training, 'WaitingHook', Timed):
        if repeat:
            with mock.patch.object(DataLoader, '__iter__', repeated):
                training.train(job_of(env_file), silent_progress())
        else:
            training.train(job_of(env_file), silent_progress())
    seconds = mean([end - begin for epoch in steps[1:] for begin, end in zip(epoch, epoch[1:])])
    return Steps(seconds, images / seconds)


def _params(bench: Bench) -> InferParams:
    return InferParams(
        class_names=shapes.CLASS_NAMES,
        gpu_ids=(0,) if bench.on_gpu else (),
        model_files=tuple(map(Path, model_of(bench.place(_TRAINED)))),
        samples_per_gpu=32 if bench.on_gpu else 8,
        workers_per_gpu=available_cores(),
    )


def _inference(bench: Bench) -> Any:
    from executor.detection.detect import compose
    from proof.rates import inference_rate

    params, folder = _params(bench), bench.place('speed-inference')
    env = read_env(write_env(folder, training=False, infer=True))
    images = _images(bench, folder / 'in' / 'assets')
    work = compose(params, None, available_cores())
    repeats = 10 if bench.on_gpu else 5
    return inference_rate(images * repeats, params, work, env, params.workers_per_gpu)


def _images(bench: Bench, folder: Path) -> List[str]:
    """Enlarge drawn images to the size of photographs, whose decoding takes a while."""
    drawn = sorted((bench.place(_TRAINED) / 'in' / 'assets').glob('train-*.jpg'))
    paths = [folder / image.name for image in drawn]
    for image, path in zip(drawn, paths):
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(image)), _SIZE))
    return [str(path) for path in paths]


def _network(bench: Bench) -> Any:
    """Measure the network alone: on a GPU at the batch that suits it best, on a CPU an image a core."""
    from concurrent.futures import ThreadPoolExecutor

    from executor.detector.model import load_model
    from executor.network.dense import example_images, fused_network
    from executor.network.onnx_network import OnnxNetwork
    from proof.rates import half_precision_rate, rate

    side = bench.sizes.fast_side
    network = fused_network(load_model(_params(bench)).model, channels_last=True)
    if bench.on_gpu:
        rates = {batch: half_precision_rate(network, side, batch) or 0.0 for batch in _BATCHES}
        return max(rates.items(), key=lambda item: item[1])
    runtime, image, cores = OnnxNetwork(network, (side, side)), example_images(side, side), available_cores()
    with ThreadPoolExecutor(cores) as pool:
        return 1, rate(lambda: list(pool.map(lambda _: runtime(image), range(8 * cores))), 8 * cores)
