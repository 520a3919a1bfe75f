"""Mining's speed: time an image of each algorithm over inference's, with 3 and with 80 classes, in turn.

`make benchmark` runs it and writes its section of docs/benchmarks.md. YOLOX-nano with the official COCO weights where
they are beside the repository (for 3 classes those of the first three), else random ones; images as in `inference.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import statistics
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import onnxruntime

from benchmarks.inference import CORES, ON_GPU, SIZES, image_files, nano_weights
from benchmarks.page import machine, table, write_section
from desk.task_folder import write_env
from executor.contract.env import read_env
from executor.contract.params import InferParams, MiningParams
from executor.contract.progress import silent_progress
from executor.detection.detect import compose
from executor.detection.infer import InferSink
from executor.detection.mine import MiningSink
from executor.detection.sweep import sweep
from executor.weights.checkpoint import read_checkpoint, save_weights
from proof.rates import Times

INFERENCE, EXACT = 'inference', 'aldd, exact'
NAMES = (INFERENCE, 'entropy', 'cald', 'aldd', EXACT)


class Contender:
    """One task on a model, measured as the steady rate of its sweep."""

    def __init__(self, name: str, images: Sequence[Path], weights: Path, classes: int, folder: Path) -> None:
        self._images = [str(path) for path in images]
        common = {
            'class_names': tuple(f'class {number}' for number in range(classes)),
            'gpu_ids': (0,) if ON_GPU else (),
            'model_files': (weights,),
            'config_file': 'configs/yolox/yolox_nano_8x8_300e_coco.py',
            'workers_per_gpu': CORES,
        }
        self._infer = InferParams(**common) if name == INFERENCE else None
        self._mining: Optional[MiningParams] = None
        if name != INFERENCE:
            algorithm = name.partition(',')[0]
            self._mining = MiningParams(**common, mining_algorithm=algorithm, aldd_exact=name == EXACT)
        self._env = read_env(write_env(folder, training=False, infer=True, mining=True))
        self._work = compose(self._infer, self._mining, CORES)
        self.profile = ''

    def __call__(self) -> float:
        """Seconds an image, once the queues are full."""
        params = self._infer or self._mining
        times = Times()
        if self._mining:
            sink: Any = MiningSink(self._env, self._mining, self._images, self._work.scorer)
        else:
            sink = InferSink(self._env, self._infer, self._images, range(len(self._images)))
        batch_size = self._work.batch_size(params.samples_per_gpu)
        progress = silent_progress().part(0, 1)
        with sink:
            statistics = sweep(self._images, self._work, [sink, times], batch_size, params.workers_per_gpu, progress)
        self.profile = statistics.describe_time()
        return times.steady_seconds(2 * params.samples_per_gpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=160)
    parser.add_argument('--rounds', type=int, default=3, help='times each is measured, in turn')
    args = parser.parse_args()
    warnings.filterwarnings('ignore')
    logging.getLogger('executor').setLevel(logging.ERROR)
    lines = [
        f'YOLOX-nano, {SIZES["nano"]} × {SIZES["nano"]}, {args.images} images from disk, {args.rounds} rounds in turn',
        'after one to warm up, in one process; time an image of the whole sweep, its queues being full. `aldd` is the',
        'default, which estimates what hardly counts; `aldd, exact` is right to a thousandth.',
        '',
        f'{machine()}, ONNX Runtime {onnxruntime.__version__}.',
        '',
    ]
    with tempfile.TemporaryDirectory() as folder:
        images = image_files(Path(folder), args.images)
        for classes in (3, 80):
            lines += measure(images, classes, Path(folder), args.rounds)
    write_section('Mining', lines)


def measure(images: Sequence[Path], classes: int, folder: Path, rounds: int) -> List[str]:
    """Lines of the page on one number of classes."""
    weights = _with_classes(nano_weights(folder), classes, folder)
    contenders: Dict[str, Callable[[], float]] = {
        name: Contender(name, images, weights, classes, folder / f'{classes}') for name in NAMES
    }
    seconds: Dict[str, List[float]] = {name: [] for name in NAMES}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            found = contender()
            if number:  # the first round warms up
                seconds[name].append(found)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rows = [
        (
            name,
            f'{1e3 * median:.1f}',
            f'{median / medians[INFERENCE]:.2f}',
            ', '.join(f'{1e3 * value:.1f}' for value in seconds[name]),
        )
        for name, median in medians.items()
    ]
    return [
        f'### {classes} classes',
        '',
        *table(('what', 'ms an image, median', 'over inference', 'each round'), rows),
        '',
        *(f'- {name}: {contender.profile}' for name, contender in contenders.items()),
        '',
    ]


def _with_classes(weights: Path, classes: int, folder: Path) -> Path:
    """The weights with the first classes only."""
    parameters = read_checkpoint(weights)['state_dict']
    for name, value in parameters.items():
        if '.multi_level_conv_cls.' in name:
            parameters[name] = value[:classes].clone()
    file = folder / f'{classes}_classes.pth'
    save_weights(file, parameters, {})
    return file


if __name__ == '__main__':
    with contextlib.redirect_stderr(io.StringIO()):
        main()
