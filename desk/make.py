"""Make a task folder of a dataset: load, split, write, and say what was done and how to run it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from desk.class_list import class_list
from desk.layouts import LAYOUTS
from desk.layouts.dataset import TRAIN, VAL, Dataset
from desk.load import Loaded, Sample, load_candidates, load_samples
from desk.settings import config_text, gpu_list, gpu_settings, parsed_settings
from desk.split import validation_images
from desk.tables import class_counts_table, left_out_lines
from desk.usage import UsageError
from desk.weights import class_names_in, config_in, model_files
from desk.write import COPIED, EXPORT_FORMAT, LINKED, Plan, Written, write_task
from executor.contract.errors import DatasetError
from executor.contract.params import MiningParams
from mining.catalog import ALGORITHMS, Needs

IMAGE = 'ymir-mmdet:0.1.0'  # as `make image` calls it
_USER = '--user $(id -u):$(id -g)'
TRAINING = 'training'
_NO_MODEL = (
    "model: none given (--weights FILE; docs/models.md has addresses): it starts from the image's weights, if there "
    'are some for its detector, else from scratch, which needs many more epochs'
)
_PLATFORM_S_REMEDY = re.compile(r': export the dataset again(, or set export_format to what its files are)?$')


@dataclass(frozen=True)
class Options:
    """The arguments of `make`, see its --help; None where one is not given."""

    layout: str
    data: Sequence[Path]
    out: Path
    task: str = TRAINING
    images: Optional[Path] = None
    classes: Optional[str] = None
    val: Optional[float] = None
    seed: int = 0
    settings: Sequence[str] = ()
    weights: Sequence[Path] = ()
    gpu: Optional[str] = None


def make(options: Options, program: str) -> str:
    """Make the task folder; returns what to tell of it. `program` is how this is called, for the commands to come.

    Raises:
        UsageError: the arguments do not fit.
        DatasetError, ModelError: nothing can be made of the dataset or of the model.
    """
    _check(options)
    settings = parsed_settings(options.settings, options.task)
    models = model_files(options.weights)
    wanted = None if options.classes is None else class_list(options.classes)
    told: List[str] = []
    try:
        dataset = LAYOUTS[options.layout](options.data, options.images)
        if options.task == TRAINING:
            loaded = load_samples(dataset, wanted)
        else:
            loaded = load_candidates(dataset, wanted or _classes_to_find(models, dataset))
    except DatasetError as error:  # the readers of annotations know the platform's exports
        raise DatasetError(_PLATFORM_S_REMEDY.sub(': mend it there, or take it out', str(error)))
    parts: Mapping[str, Sequence[Sample]] = {'candidate': loaded.samples}
    if options.task == TRAINING:
        parts, how = _parts(loaded, options)
        told.append(f'split: {how}')
    config = settings.get('config_file') or config_in(models)
    if config and (options.task == TRAINING or config.startswith('configs/')):
        settings['config_file'] = config
    gpus, device = gpu_settings(options.gpu)
    text = config_text(
        options.task,
        {**settings, **({'export_format': EXPORT_FORMAT} if options.task == TRAINING else {})},
        {'class_names': list(loaded.class_names), **gpus, **_model_keys(models, options.task)},
    )
    written = write_task(Plan(options.out, options.task, loaded.class_names, parts, models, text))
    told += _told_of_models(models, settings, options.task)
    return '\n'.join(
        [
            *_summary(options, loaded, parts, written),
            *told,
            f'runs on {device}',
            *_commands(options.out, bool(gpus['gpu_count']), program),
        ]
    )


def _check(options: Options) -> None:
    if options.layout == 'images' and options.task == TRAINING:
        raise UsageError('--from images has no boxes to train on: say --task infer or mining, or another layout')
    if options.val is not None and not 0 < options.val < 1:
        raise UsageError(f'--val must be above 0 and below 1, such as 0.2, found {options.val:g}')
    if options.gpu is not None:
        gpu_list(options.gpu)
    for place in (*options.data, *options.weights, *([options.images] if options.images else [])):
        if not place.exists():
            raise UsageError(f'{place} is not there: name a file or folder that is')
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise UsageError(f'--out {options.out} is there already: name a new folder, or remove it first')
    inside = [place for place in options.data if place.is_dir() and _is_below(options.out, place)]
    if inside:
        raise UsageError(f'--out {options.out} lies in {inside[0]}, which stays as it is: name a folder beside it')
    if options.task != TRAINING and not options.weights and ('infer' in options.task or _algorithm(options) != Needs()):
        raise UsageError(f'--task {options.task} needs a model: say --weights with a task, a stage of it, or weights')


def _is_below(place: Path, folder: Path) -> bool:
    return folder.resolve() in place.resolve().parents


def _algorithm(options: Options) -> Needs:
    settings = parsed_settings(options.settings, options.task)
    return ALGORITHMS[settings.get('mining_algorithm') or MiningParams.mining_algorithm]


def _classes_to_find(models: Sequence[Path], dataset: Dataset) -> Sequence[str]:
    """Return the classes of a model: those that its weights name, else those of the dataset."""
    names = class_names_in(models) or dataset.class_names
    if names:
        return names
    if models:
        raise UsageError('the weights do not name their classes: say --classes a,b in the order of the model, or coco')
    return ('object',)  # nobody looks for any: images are ranked by chance


def _parts(loaded: Loaded, options: Options) -> Tuple[Mapping[str, Sequence[Sample]], str]:
    """Divide the images into those to train on and those to validate with; returns the words for it, too."""
    samples = loaded.samples
    if loaded.split:
        unused = ' (--val is not used)' if options.val is not None else ''
        found = {part: [sample for sample in samples if sample.part == part] for part in (TRAIN, VAL)}
        return found, f"the dataset's own, {loaded.split}{unused}"
    share = 0.2 if options.val is None else options.val
    if len(samples) < 2:
        raise UsageError('one image cannot be divided into training and validation: add another')
    chosen = validation_images([{box.label for box in sample.boxes} for sample in samples], share, options.seed)
    parts: Dict[str, List[Sample]] = {TRAIN: [], VAL: []}
    for number, sample in enumerate(samples):
        parts[VAL if number in chosen else TRAIN].append(sample)
    how = f'{share:g} of the images to validate with, by classes (--val), chosen by --seed {options.seed}'
    return parts, how


def _model_keys(models: Sequence[Path], task: str) -> Dict[str, object]:
    names = [file.name for file in models]
    return {'pretrained_model_params' if task == TRAINING else 'model_params_path': names} if names else {}


def _told_of_models(models: Sequence[Path], settings: Mapping[str, str], task: str) -> List[str]:
    if not models:
        starts_from_none = task == TRAINING and 'load_from' not in settings.get('cfg_options', '')
        return [_NO_MODEL] if starts_from_none else []
    config = f', config_file {settings["config_file"]}' if settings.get('config_file') else ''
    return [f'model: {", ".join(file.name for file in models)}{config}']


def _summary(
    options: Options, loaded: Loaded, parts: Mapping[str, Sequence[Sample]], written: Written
) -> Sequence[str]:
    """Say what is in the folder, and what is not."""
    names = loaded.class_names
    count = sum(map(len, parts.values()))
    boxes = [box for sample in loaded.samples for box in sample.boxes]
    lines = [f'{options.out}: {options.task}, {count} images, {len(names)} classes']
    if options.task == TRAINING:
        empty, ignored = sum(not sample.boxes for sample in loaded.samples), sum(box.ignore for box in boxes)
        lines[0] += f', {len(boxes)} boxes'
        lines.append(_table(names, parts))
        if empty:
            lines.append(f'{empty} images have no box: they teach what is background')
        if ignored:
            lines.append(f'{ignored} boxes are crowds or difficult: neither to be found nor a mistake when found')
        lines += _lacking(names, parts)
    lines += [f'note: {warning}' for warning in loaded.warnings]
    left = left_out_lines('images', loaded.images_left_out) + left_out_lines('boxes', loaded.boxes_left_out)
    lines += ['left out:', *left] if left else []
    if written.renamed:
        image, name = next(iter(written.renamed.items()))
        lines.append(f'{len(written.renamed)} images have another name in the task, first {name} for {image}')
    lines.append(_how(written))
    return lines


def _how(written: Written) -> str:
    linked, copied = written.how[LINKED], written.how[COPIED]
    if not copied:
        return f'images: {linked} hard links, which take no space; the dataset is as it was'
    return f'images: {copied} copies, since they lie on another file system or belong to another user' + (
        f', and {linked} hard links' if linked else ''
    )


def _table(names: Sequence[str], parts: Mapping[str, Sequence[Sample]]) -> str:
    columns: List[str] = []
    counts: List[List[int]] = []
    totals: List[int] = []
    for part, samples in parts.items():
        columns += [f'{part} images', f'{part} boxes']
        labels = [[box.label for box in sample.boxes] for sample in samples]
        counts.append([sum(label in found for found in map(set, labels)) for label in range(len(names))])
        counts.append([sum(found.count(label) for found in labels) for label in range(len(names))])
        totals += [len(samples), sum(map(len, labels))]
    return class_counts_table(names, columns, counts, totals)


def _lacking(names: Sequence[str], parts: Mapping[str, Sequence[Sample]]) -> List[str]:
    """Tell of classes that a part has no box of."""
    lines = []
    for part, samples in parts.items():
        there = {box.label for sample in samples for box in sample.boxes}
        lacking = [name for label, name in enumerate(names) if label not in there]
        if lacking:
            more = ', ...' if len(lacking) > 10 else ''
            lines.append(f'note: no box in {part} of {len(lacking)} classes: {", ".join(lacking[:10])}{more}')
    return lines


def _commands(out: Path, gpu: bool, program: str) -> List[str]:
    """Return the lines that say how to look at the task and how to run it."""
    folder, top = shlex.quote(str(out)), Path.cwd()
    absolute = out.resolve()
    if top not in absolute.parents:
        top = absolute.parent
    inside = shlex.quote(str(absolute.relative_to(top)))
    mount = '"$PWD"' if top == Path.cwd() else shlex.quote(str(top))
    gpus = '--gpus all --shm-size 16g' if gpu else '--shm-size 16g'
    here = program if program != 'task' else 'python -m desk'
    return [
        f'look at it:       {program} check {folder}',
        f'run it by Docker: docker run -it --rm {gpus} {_USER} -v {mount}:/work {IMAGE} task run {inside}',
        f'run it by Python: {here} run {folder}',
    ]


def program_name() -> str:
    """Return how this program was called, as a shell takes it: `task` in the image, else by Python."""
    name = Path(sys.argv[0]).name
    if name != '__main__.py':
        return name
    python = os.path.relpath(sys.executable)
    return f'{shlex.quote(python if not python.startswith("..") else sys.executable)} -m desk'
