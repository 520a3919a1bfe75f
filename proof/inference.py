"""Prove that inference finds on the device what it finds on the CPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping

import numpy as np

from demo import shapes
from desk.task_folder import write_index
from executor.contract.annotations import read_records
from executor.contract.env import read_env
from executor.contract.index import read_training_index
from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.detections import Detections
from executor.evaluation.coco import evaluate
from executor.evaluation.results import ImageResult, Truth
from proof.agreement import PIXELS, SCORE, share_of_same_boxes
from proof.bench import ON_CPU, Bench, Config, detect_here, model_of
from proof.table import Outcome, judged
from proof.training import REFERENCE

_LEAST, _FOUND_FROM = 0.05, 0.04  # of scores: a box that is compared, and one that it may be compared with
_AP, _SHARE = 0.002, 0.99
GOAL = f'AP within {_AP} of the CPU; {_SHARE:.0%} of the boxes within {PIXELS:g} pixel and {SCORE:g} in score'

Found = Mapping[str, Detections]


def prove(bench: Bench) -> Outcome:
    """Infer on the CPU and on the device with the model that the CPU trained."""
    theirs, ours = (found_on(bench, f'infer-{name}', config) for name, config in _devices(bench).items())
    ap, reference = _ap(bench, 'infer-device', ours), _ap(bench, 'infer-cpu', theirs)
    share, boxes = share_of_same_boxes(ours, theirs, _LEAST), sum(map(len, theirs.values()))
    told = f'AP {ap:.4f}, the CPU {reference:.4f}; {share:.2%} of {boxes} boxes in {len(theirs)} images are the same'
    return judged(told, abs(ap - reference) <= _AP and share >= _SHARE and reference > 0)


def _devices(bench: Bench) -> Dict[str, Config]:
    return {'cpu': ON_CPU, 'device': bench.config}


def found_on(bench: Bench, name: str, config: Config, batch: int = 16) -> Found:
    """Infer in a process of its own; returns what infer-result.json says."""
    env_file = write_candidates(bench, name, conf_threshold=_FOUND_FROM, samples_per_gpu=batch, **config)
    bench.apart(lambda: detect_here(env_file))
    return read_result(read_env(env_file).output.infer_result_file)


def write_candidates(bench: Bench, name: str, *, mining: bool = False, **config: Any) -> Path:
    """Write an inference or a mining of the reference's model; the same images for each."""
    if not bench.place(REFERENCE).is_dir():
        raise RuntimeError('the training on the CPU has left no model to find with')
    return shapes.write_candidates_task(
        bench.place(name),
        bench.sizes.candidates,
        mining=mining,
        infer=not mining,
        model_params_path=list(model_of(bench.place(REFERENCE))),
        **config,
    )


def read_result(file: Path) -> Found:
    """Read infer-result.json, the boxes of each image by descending score."""
    images = json.loads(file.read_text(encoding='utf-8'))['detection']
    return {image: _detections(one['boxes']) for image, one in images.items()}


def _detections(boxes: List[Dict[str, Any]]) -> Detections:
    rows = np.array([[float(box['box'][key]) for key in 'xywh'] for box in boxes], np.float32).reshape(-1, 4)
    scores = np.array([box['score'] for box in boxes], np.float32)
    labels = np.array([shapes.CLASS_NAMES.index(str(box['class_name'])) for box in boxes], np.int64)
    rows[:, 2:] += rows[:, :2]
    order = np.argsort(-scores, kind='stable')
    return Detections(rows[order], scores[order], labels[order])


def _ap(bench: Bench, name: str, found: Found) -> float:
    folder = bench.place(name)
    images = sorted(found)
    index = write_index(
        folder,
        'truth-index.tsv',
        [(folder / 'in/assets' / image, (folder / 'in/annotations' / image).with_suffix('.txt')) for image in images],
    )
    results = []
    for number, record in enumerate(read_records(read_training_index(index), 'ark:raw', shapes.CLASS_NAMES)):
        boxes = np.array([[box.x1, box.y1, box.x2, box.y2] for box in record.boxes], np.float64).reshape(-1, 4)
        labels = np.array([box.label for box in record.boxes], np.int64)
        truth = Truth(boxes, labels, np.zeros(len(labels), bool))
        results.append(ImageResult(number, truth, found[record.image.name]))
    return evaluate(results, shapes.CLASS_NAMES, EVALUATE_CONFIG).mAP
