"""Check a task folder: all that start.py would complain of, what the task holds, and a sheet of its images."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from desk.progress import Bar
from desk.tables import class_counts_table, left_out_lines
from executor.config.find import check_config_file
from executor.contract.annotations import open_annotations
from executor.contract.annotations.records import Tally, TrueBox
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.errors import ExecutorError, ImageError, noting
from executor.contract.index import IndexLine, read_candidate_index, read_training_index
from executor.contract.inputs import check_inputs
from executor.contract.output.writable import check_writable
from executor.contract.params import DetectionParams, Job, TrainParams
from executor.contract.shown import clipped, listed
from executor.detections import no_detections
from executor.evaluation.results import ImageResult, Truth
from executor.images.decode import read_image
from executor.log import quiet
from executor.machine.cores import available_cores
from executor.machine.gpus import check_gpus, show_gpus
from executor.process.explain import explained
from executor.report.pictures import draw_grid, evenly_spaced, write_picture
from executor.training.entries import read_entries
from executor.training.usable_boxes import check_usable_boxes
from mining.catalog import ALGORITHMS, Needs

logger = logging.getLogger(__name__)

ENV_FILE = Path('in', 'env.yaml')  # in a task folder
SHEET = 'check.jpg'
_ON_SHEET = 16
_MOST_PROBLEMS = 30


@dataclass
class Found:
    """What a check found; `lines` are what to tell, beside the problems."""

    problems: List[ExecutorError] = field(default_factory=list)
    lines: List[str] = field(default_factory=list)


class _Image(NamedTuple):
    path: Path
    boxes: Tuple[TrueBox, ...]


def check_task(folder: Path, bar: Bar) -> Found:
    """Check everything, in the folder itself: paths of a task that `make` made begin there."""
    os.chdir(str(folder))
    found = Found()
    job: Optional[Job] = None
    with noting(found.problems):
        env = read_env(ENV_FILE, found.problems)
        with noting(found.problems):
            check_writable(env)
        job = read_job(env, found.problems)
        check_config_file(job, found.problems)
        check_inputs(job, found.problems)
    if job is None:
        return found
    with bar.told('images'):
        images = _decodable(_images(job, found), found, bar)
    with bar.told('model'):
        _check_model(job, found)
    _draw_sheet(images, job.parts[0].class_names, found)
    return found


def report(found: Found) -> str:
    """Write the problems below what the task holds."""
    told = [f'{number}. {problem}' for number, problem in enumerate(found.problems[:_MOST_PROBLEMS], start=1)]
    more = len(found.problems) - len(told)
    told += [f'... and {more} more'] if more else []
    count = len(found.problems)
    verdict = f'{count} problem{"s" if count > 1 else ""}:' if count else 'start.py has nothing to complain of'
    return '\n'.join([*found.lines, verdict, *told])


def _images(job: Job, found: Found) -> List[_Image]:
    """List the images of the indexes, with their boxes as far as these can be read; counts both."""
    paths = job.env.input
    images: List[_Image] = []
    # What is wrong with an index is noted already.
    if job.training is not None:
        for file in (paths.training_index_file, paths.val_index_file):
            if file is not None:
                with noting([]):
                    lines = [line for line in read_training_index(file, []) if line.image.is_file()]
                    images += _annotated(file, lines, job.training, file == paths.val_index_file, found)
    elif paths.candidate_index_file is not None:
        with noting([]):
            index = read_candidate_index(paths.candidate_index_file)
            found.lines.append(f'{paths.candidate_index_file}: {len(index)} images')
            images += (_Image(Path(path), ()) for path in index)
    return images


def _annotated(
    index: Path, lines: Sequence[IndexLine], params: TrainParams, validation: bool, found: Found
) -> List[_Image]:
    """Read the boxes of the images of an index; each annotation that is malformed is a problem of its own."""
    before = len(found.problems)
    boxes: Dict[Path, Tuple[TrueBox, ...]] = {}
    annotated = [line for line in lines if line.annotation.is_file()]
    with noting(found.problems):
        tally = Tally()
        read = open_annotations(annotated, params.export_format, params.class_names, tally)
        for line in annotated:
            with noting(found.problems):
                boxes[line.image] = read(line, tally)
    if len(found.problems) == before and annotated:
        _count(index, annotated, params, validation, found)
    return [_Image(line.image, boxes.get(line.image, ())) for line in lines]


def _count(index: Path, lines: Sequence[IndexLine], params: TrainParams, validation: bool, found: Found) -> None:
    """Count the boxes as the training will, and tell if it has none to learn from."""
    entries = read_entries(lines, params.export_format, params.class_names)
    with noting(found.problems):
        check_usable_boxes(index, params.class_names, entries, validation)
    boxes = [entries.usable[label] for label in range(len(params.class_names))]
    told = f', {entries.ignored} of them ignored' if entries.ignored else ''
    found.lines += [
        f'{index}: {len(lines)} images, {sum(boxes) + entries.ignored} boxes{told}',
        class_counts_table(params.class_names, ['boxes'], [boxes], [sum(boxes)]),
        *left_out_lines('boxes', entries.tally),
        *left_out_lines('boxes', entries.leaving),
    ]


def _decodable(images: Sequence[_Image], found: Found, bar: Bar) -> List[_Image]:
    """Decode every image, tell of those that cannot be, and return the others."""
    there = [image for image in images if image.path.is_file()]
    sound: List[_Image] = []
    broken: List[str] = []
    with ThreadPoolExecutor(available_cores()) as pool:
        for image, error in zip(there, pool.map(_error_of, [image.path for image in there])):
            if error is None:
                sound.append(image)
            else:
                broken.append(clipped(error))
            bar.update((len(sound) + len(broken)) / len(there))
    if broken:
        told = listed(broken, between='; ')
        found.problems.append(ImageError(f'{len(broken)} of {len(there)} images cannot be decoded: {told}'))
    return sound


def _error_of(path: Path) -> Optional[str]:
    try:
        read_image(path)
    except ImageError as error:
        return str(error)
    return None


def _check_model(job: Job, found: Found) -> None:
    """Build the detector with its weights on the CPU, as far as what it is made of could be read, and try the GPUs."""
    if found.problems:
        found.lines.append('the model is looked at when what is told below is mended')
        return
    try:
        show_gpus(job.gpu_ids)
        check_gpus(job.gpu_ids, 0)
        with quiet():
            if job.training is not None:
                _build_training(job, job.training)
            else:
                _build_detection(job)
    except Exception as error:  # as a worker's, whose failures are told the same
        problem = explained(error, job)
        if not isinstance(problem, ExecutorError):
            raise
        found.problems.append(problem)


def _build_training(job: Job, params: TrainParams) -> None:
    from mmdet.registry import MODELS
    from mmengine.registry import init_default_scope

    from executor.config.blame import config_to_blame
    from executor.config.patches import patch
    from executor.models.families import register_parts
    from executor.training.build_config import build_config
    from executor.training.freeze import check_frozen, freeze
    from executor.training.pretrained import from_scratch, starting_weights
    from executor.weights.choose import replace_downloads
    from executor.weights.match import load_weights

    register_parts()
    init_default_scope('mmdet')
    patch()
    assert job.env.input.training_index_file is not None, 'the inputs have been checked'
    weights = starting_weights(params)
    if weights is None:
        logger.warning(from_scratch(params.config_file))
    images = len(read_training_index(job.env.input.training_index_file))
    config = build_config(job.env, params, images, 1, weights, fine_tunes=weights is not None)
    replace_downloads(config['model'], will_load=weights is not None)
    check_frozen(config, params, has_weights=weights is not None or params.args_options.resume is not None)
    with config_to_blame(config, params.config_options):
        model = MODELS.build(config['model'])
    freeze(model, params.freeze)
    if weights is not None:
        load_weights(model, weights)


def _build_detection(job: Job) -> None:
    from executor.detector.model import load_model

    params: Optional[DetectionParams] = job.infer or job.mining
    assert params is not None, 'a task that neither mines nor infers'
    if job.infer is not None or (job.mining is not None and ALGORITHMS[job.mining.mining_algorithm] != Needs()):
        load_model(params)


def _draw_sheet(images: Sequence[_Image], class_names: Sequence[str], found: Found) -> None:
    """Draw sixteen images with their boxes, those with boxes first, into the folder."""
    shown = [image for image in images if image.boxes] or images
    chosen = [shown[number] for number in evenly_spaced(len(shown), _ON_SHEET)]
    if not chosen or not class_names:
        return
    drawn = [
        (image.path, ImageResult(number, _truth(image.boxes), no_detections())) for number, image in enumerate(chosen)
    ]
    captions = [image.path.name for image in chosen]
    if write_picture(Path(SHEET), lambda: draw_grid(drawn, class_names, 1.0, captions)):
        found.lines.append(f'sheet of {len(chosen)} images: {Path(SHEET).resolve()}')


def _truth(boxes: Sequence[TrueBox]) -> Truth:
    """Give true boxes the form in which they are drawn."""
    corners = np.array([box[1:5] for box in boxes], np.float64).reshape(-1, 4)
    return Truth(corners, np.array([box.label for box in boxes], np.int64), np.zeros(len(boxes), bool))
