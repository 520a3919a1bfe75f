"""Read the report of a model, which a training or `evaluate` has left."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Callable, Optional, TypeVar

from desk.evaluate import NUMBERS
from desk.usage import UsageError
from executor.contract.shown import clipped, first_line
from executor.evaluation.coco import COCO_NAMES
from executor.evaluation.errors import KINDS
from executor.report.comparison import Compared
from executor.report.page import Numbers
from executor.training.expect import Form, each, entries, finite, fraction, text, whole

T = TypeVar('T')

# Where a report lies in a task that has been run, in its folders, or beside its page.
_REPORTS = ('out/models/attachments/evaluation', 'models/attachments/evaluation', 'attachments/evaluation', '.')


def read_report(place: Path) -> Compared:
    """Read the report of a model: a file, or what lies in a folder of its run or beside its page.

    Raises:
        UsageError: there is none.
    """
    if not place.exists():
        raise UsageError(f'{place} is not there: name a task that has been trained, or a {NUMBERS}')
    files = [place] if place.suffix == '.json' else [place / folder / NUMBERS for folder in _REPORTS]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise UsageError(
            f'{place} has no {NUMBERS}: name a task that has been trained, or say --on TASK to evaluate it'
        )
    return Compared(name=_report_name(file), source=str(file.absolute()), numbers=_numbers(file))


def _report_name(file: Path) -> str:
    """Name the model of a report by the folder that it lies in, of a run by its task."""
    above = (
        folder
        for folder in file.absolute().parents
        if folder.name not in ('evaluation', 'attachments', 'models', 'out')
    )
    return next(above).name or file.stem


def _numbers(file: Path) -> Numbers:
    """Read what is compared of a report, which somebody else may have written."""
    try:
        return entries(json.loads(file.read_text(encoding='utf-8')), 'it', _REPORT)
    except (ValueError, RecursionError) as error:  # no UTF-8 or JSON, or not what a report holds
        raise UsageError(f'{file} is no report of a model ({clipped(first_line(error))}): name a {NUMBERS}')


def _if_any(value: object, place: str, take: Callable[[object, str], T]) -> Optional[T]:
    return None if value is None else take(value, place)


_SHARE = partial(_if_any, take=fraction)
_AT: Form = dict.fromkeys(('threshold', 'precision', 'recall', 'f1'), fraction)
_CLASS: Form = {
    **{'name': text, 'true_boxes': whole, 'ap': _SHARE, 'ap_50': _SHARE},
    'at_best': partial(_if_any, take=partial(entries, form=_AT)),
}
_REPORT: Form = {
    'images': whole,
    'coco': partial(entries, form=dict.fromkeys(COCO_NAMES, _SHARE)),
    'best': partial(entries, form=_AT),
    'classes': partial(each, take=partial(entries, form=_CLASS)),
    'errors': partial(entries, form=dict.fromkeys(KINDS, partial(entries, form={'boxes': whole, 'ap_50': finite}))),
    'localisation': partial(entries, form={'ap_50': fraction}),
    'calibration': partial(entries, form={'ece': fraction}),
}
