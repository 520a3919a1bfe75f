"""Parameters, FLOPs and images/s of every known model; writes them into configs/models.tsv and docs/models.md.

`python -m benchmarks.models` measures all of them, in a quarter of an hour; with names only these. Weights are random,
and find little: a detector with many boxes to sort takes some milliseconds more.
"""

from __future__ import annotations

import argparse
import csv
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Dict, List, Sequence

import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from benchmarks.inference import CLASSES, CORES, image_files
from benchmarks.page import REPOSITORY, machine, table
from desk.task_folder import write_env
from executor.config.known_models import TABLE, KnownModel, known_models
from executor.config.overrides import set_classes
from executor.config.patches import patch
from executor.config.read import load_config
from executor.contract.env import read_env
from executor.contract.params import InferParams
from executor.contract.progress import silent_progress
from executor.detection.detect import compose
from executor.detection.infer import InferSink
from executor.detection.sweep import sweep
from executor.detector.trial import count_flops
from executor.models.families import register_parts
from executor.weights.checkpoint import save_weights
from executor.weights.choose import replace_downloads
from proof.rates import Times

PAGE = REPOSITORY / 'docs' / 'models.md'
TABLE_ON_GPUS = TABLE.with_name('models_on_gpus.tsv')
_PREFACE = (
    '# Models',
    '',
    'What `config_file` to name for which job. `start.py --models` shows the same. `python -m benchmarks.models`',
    'measures parameters, FLOPs and speed; the rest stands in configs/models.tsv.',
    '',
    '## Which for which job',
    '',
    '| job | choose | why |',
    '|---|---|---|',
    '| a first look at a dataset | YOLOX-tiny, the default | little memory, and fast enough to try again |',
    '| inference and mining without a GPU | YOLOX-nano or tiny | the most images/s at their AP |',
    '| a GPU of 8 GB | YOLOX-s with `samples_per_gpu: 8` | published with 7.6 GB; half precision takes less |',
    '| high AP on a GPU of 24 GB | YOLOX-l with 8 images, RTMDet-m with 16 | published with 19.9 GB; 27.8 GB with 32 |',
    '| small objects | one of these, with a larger `input_size` | [how to choose it](training.md#input-size) |',
    '| no AGPL | all but YOLOv5 with weights of its authors | the licence is that of the weights |',
    '',
    '## All of them',
    '',
    '- **input**: width × height at which the config tests, and which it is trained for.',
    '- **parameters** with 80 classes; **GFLOPs** for one such input, a multiplication and an addition being two.',
    "  (EfficientDet's paper and mmdet count them as one.)",
    '- **AP** on COCO in percent, as its authors publish it and not measured here: val2017 where nothing else is said.',
    '- **images/s** of the whole task, from file to infer-result.json, on two cores of a CPU, of COCO photographs with',
    '  random weights. YOLOX and EfficientDet pad an image to a square; the others compute no more than it needs.',
    '- **weights** as their authors publish them, under their licence: give the file as the pretrained model, or build',
    '  it into the image. Those of YOLOv5 may be used under GPL or AGPL only, whatever licence this program has.',
)
_NOTES = (
    'Any other box detector of mmdet can be named, too, as its model zoo calls it. Of two-stage detectors the FLOPs',
    'depend a little on what the first stage finds. A smaller input is faster, and worse for small objects.',
)
_ON_GPUS = (
    '## On GPUs, as published',
    '',
    'Nothing here was measured by this project, and rows of different sources do not compare: other cards, other',
    'batches, other parts of the work. A cell is empty where the authors publish nothing; how long a training takes is',
    'published of YOLOv5 alone. For your own data, the log tells after the first epoch how much time is left.',
    '',
    '- **memory** of a GPU in a training, in GB, with that many **images** on it at once.',
    '- **days** of a training on COCO (118,287 images, 300 epochs) on one V100 of 16 GB. Fewer images or epochs take',
    '  as much less: a thousand images for 100 epochs are a 355th of it.',
    '- **ms** for an image in inference.',
)
_GPU_HEAD = ('model', 'memory, GB', 'images', 'days', 'ms', 'ms: on what', 'as published by')
SECONDS = 15  # of a measurement of speed, about
GFLOPS = 150  # of the machine in a second, about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', metavar='MODEL', help='as the first column of the table calls them')
    args = parser.parse_args()
    warnings.filterwarnings('ignore')
    logging.disable(logging.WARNING)
    models = known_models()
    for number, model in enumerate(models):
        if not args.names or model.model in args.names:
            models[number] = model._replace(**measured(model))
            print(models[number].describe(), flush=True)
            _write(models)
    PAGE.write_text(page(models), encoding='utf-8')


def measured(model: KnownModel) -> Dict[str, str]:
    """Measure one, with random weights."""
    network = build(model.config_file)
    width, height = map(int, model.input.split('x'))
    gflops = (count_flops(network, width, height) or 0) / 1e9
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / 'random.pth'
        save_weights(weights, network.state_dict(), {})
        speed = rate(model.config_file, weights, Path(folder), max(12, min(240, int(SECONDS * GFLOPS / gflops))))
    return {
        'parameters': f'{millions_of_parameters(network):.2f}',
        'flops': f'{gflops:.3g}',
        'speed': f'{speed:.{2 if speed < 1 else 1 if speed < 10 else 0}f}',
    }


def build(config_file: str) -> torch.nn.Module:
    """Build a detector for 80 classes with the weights that it has before a training."""
    register_parts()
    init_default_scope('mmdet')
    patch()
    config = load_config(config_file)
    set_classes(config, CLASSES)
    replace_downloads(config['model'], will_load=True)
    network = MODELS.build(config['model'])
    network.init_weights()
    return network.eval()


def millions_of_parameters(network: torch.nn.Module) -> float:
    """Count parameters, without what batch norms keep beside them."""
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def rate(config_file: str, weights: Path, folder: Path, count: int) -> float:
    """Measure images/s of the sweep as inference runs it, its queues being full."""
    params = InferParams(
        class_names=CLASSES,
        gpu_ids=(),
        model_files=(weights,),
        config_file=config_file,
        samples_per_gpu=2,
        workers_per_gpu=1,
    )
    images = [str(path) for path in image_files(folder, count)]
    times, progress = Times(), silent_progress().part(0, 1)
    env = read_env(write_env(folder, training=False, infer=True))
    with InferSink(env, params, images, range(count)) as sink:
        sweep(images, compose(params, None, CORES), [sink, times], params.samples_per_gpu, 1, progress)
    return 1 / times.steady_seconds(4)


def page(models: Sequence[KnownModel]) -> str:
    """Write docs/models.md."""
    head = ('model', 'config_file', 'input', 'parameters, M', 'GFLOPs', 'AP', 'as published by', 'images/s', 'weights')
    rows = [
        (
            *(model.model, f'`{model.config_file}`', model.input.replace('x', ' × '), model.parameters, model.flops),
            *(model.ap, model.source, model.speed, f'[{model.licence}]({model.weights})'),
        )
        for model in models
    ]
    parts = [*_PREFACE, '', f'Speed: {machine()}.', '', *table(head, rows), '', *_NOTES, '', *_ON_GPUS, '']
    return '\n'.join([*parts, *table(_GPU_HEAD, gpu_rows())]) + '\n'


def gpu_rows() -> List[Sequence[str]]:
    """Read what others have published of these models on GPUs; an empty cell where nothing is."""
    with open(TABLE_ON_GPUS, encoding='utf-8', newline='') as file:
        return list(csv.reader(file, delimiter='\t'))[1:]


def _write(models: Sequence[KnownModel]) -> None:
    with open(TABLE, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, delimiter='\t', lineterminator='\n')
        writer.writerows([KnownModel._fields, *models])


if __name__ == '__main__':
    main()
