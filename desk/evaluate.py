"""Evaluate a model on the validation set of a task: the numbers and the page that a training gives its best model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

from desk.class_list import class_list
from desk.models import MODEL_SETTINGS, Model, find_model, model_settings
from desk.progress import Bar
from desk.tables import aligned
from desk.usage import check_folder
from desk.validate import Validated, ValidationSet, open_task, validate
from executor.evaluation.analysis import analyse
from executor.evaluation.coco import COCO_NAMES
from executor.report.model_page import write_model_report
from executor.report.model_report import ModelReport
from executor.report.table import class_table
from executor.training.model_report import versions

FOLDER = 'evaluation'  # of a task, for what is evaluated on it
NUMBERS, PAGE = 'report.json', 'report.html'


@dataclass(frozen=True)
class Options:
    """The arguments of `evaluate`, see its --help; None where one is not given."""

    model: Path
    task: Path
    out: Optional[Path] = None
    settings: Sequence[str] = ()
    classes: Optional[str] = None


def evaluate(options: Options, bar: Bar) -> str:
    """Evaluate the model and write its page; returns what to tell.

    Raises:
        UsageError: the arguments do not fit.
        ExecutorError: the model or the task cannot be used.
    """
    settings = model_settings(options.settings)
    model = find_model(options.model, settings, class_list(options.classes) if options.classes else None)
    out = (options.out or options.task / FOLDER / model.name).absolute()
    check_folder(out)
    task = options.task.resolve()
    data = open_task(task)
    validated = validate(model, data, bar, closely=True)
    report = model_report(model, data, validated, task)
    out.mkdir(parents=True, exist_ok=True)
    write_model_report(report, out / PAGE, out / NUMBERS)
    return '\n'.join([*_told(report, validated, task), f'page of the model: {out / PAGE}', f'numbers: {out / NUMBERS}'])


def model_report(model: Model, data: ValidationSet, validated: Validated, task: Path) -> ModelReport:
    """Analyse a validation, for the page of the model."""
    validation = validated.validation
    details = validation.evaluation.details
    assert details is not None, 'it has been evaluated'
    return ModelReport(
        title=model.name,
        stage=f'on {task.name}',
        class_names=data.class_names,
        evaluation=validation.evaluation,
        analysis=analyse(details.matches, details.best.threshold),
        paths=validation.paths,
        images=validation.images,
        history={},
        settings=_settings(model, data, validated, task),
        speed=validated.examination.speed,
        lost=validated.examination.lost,
    )


def _settings(
    model: Model, data: ValidationSet, validated: Validated, task: Path
) -> Mapping[str, Mapping[str, object]]:
    evaluation = {
        'model': ', '.join(map(str, model.params.model_files)),
        'detector': validated.detector,
        'classes of the model': ', '.join(model.class_names or ()),
        'note': '; '.join(validated.notes),
        'task': str(task),
        'validation set': str(data.index),
        'ran on': validated.device,
    }
    params = {key: getattr(model.params, key) for key in MODEL_SETTINGS}
    return {
        'Evaluation': {key: value for key, value in evaluation.items() if value},
        'Parameters': {key: value or '' for key, value in params.items()},
        'Versions': versions(),
    }


def _told(report: ModelReport, validated: Validated, task: Path) -> List[str]:
    evaluation = report.evaluation
    details = evaluation.details
    assert details is not None, 'it has been evaluated'
    best = details.best
    boxes = sum(result.true_boxes for result in evaluation.classes)
    numbers = [(name, '-' if value < 0 else f'{value:.4f}') for name, value in zip(COCO_NAMES, details.coco)]
    return [
        f'{report.title} on {task}: {report.images} validation images, {boxes} true boxes, {validated.detector}',
        *(f'note: {note}' for note in validated.notes),
        f'precision, recall and F1 of boxes scored {best.threshold:.3f} and above, the conf_threshold of highest F1:'
        if best.f1
        else 'nothing that it finds is right, at any score:',
        class_table(evaluation.classes),
        aligned([['COCO', 'value'], *numbers]),
        f'mAP (AP at IoU 0.5): {evaluation.mAP_50:.4f}',
    ]
