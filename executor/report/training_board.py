"""Show a training in TensorBoard: under names that are the same in every run, and bounded in number.

A step is an epoch; what is of the best model is at the epoch of its stage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from executor.contract.errors import ExecutorError
from executor.evaluation.coco import ClassResult, Evaluation
from executor.evaluation.results import ImageResult
from executor.evaluation.worst import WorstImage
from executor.images.decode import read_image
from executor.report.board import Board, escaped, markdown_table
from executor.report.dataset_page import draw_training_picture
from executor.report.dataset_report import TrainingPicture, summary, warnings
from executor.report.error_tiles import MOST_LISTED, draw_errors, list_errors
from executor.report.figures import draw_confusion, png_bytes
from executor.report.model_figures import confusion_of, model_figures
from executor.report.model_report import ModelReport
from executor.report.page import Numbers
from executor.report.pictures import draw_grid

Images = Sequence[Tuple[str, ImageResult]]  # as (path, result)
Settings = Mapping[str, Mapping[str, object]]  # values by name, by heading

MOST_SAMPLES = 6  # validation images in a picture
_COLUMNS = 3
_MOST_CURVES = 20  # classes with a precision-recall curve
_MOST_ROWS = 200  # classes in a table
_MOST_WORST = 12  # images
_BATCH = 8  # pictures of a batch
_EACH = 10  # of the thresholds, each tenth is a point of a curve

_FIGURES = {
    'precision_recall': 'precision by recall',
    'by_score': 'precision, recall and F1 by score',
    'error_bars': 'AP50 that each kind of error costs',
    'calibration': 'calibration',
    'histogram': 'predictions by score',
}


def show_settings(board: Board, settings: Settings, epoch: int = 0) -> None:
    """Show what a training is set to, and by what it computes."""
    tables = [
        f'### {heading}\n\n{markdown_table(("", ""), [(name, str(value)) for name, value in values.items()])}'
        for heading, values in settings.items()
    ]
    board.text('settings', '\n\n'.join(tables), epoch)


def dataset_pictures(batches: Sequence[Sequence[TrainingPicture]]) -> List[NDArray[np.uint8]]:
    """Draw the first training pictures of each batch, with their boxes, side by side."""
    return [_side_by_side([draw_training_picture(one) for one in batch[:_BATCH]]) for batch in batches if batch]


def show_dataset(board: Board, numbers: Numbers, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Show what a dataset is made of, and the first batches as the model sees them."""
    sets = [name for name in ('training', 'validation') if numbers[name] is not None]
    head = ['class', *(f'{what}, {name}' for name in sets for what in ('boxes', 'images'))]
    columns = [numbers[name]['classes'][what] for name in sets for what in ('boxes', 'images')]
    lines = [f'- {escaped(line)}' for line in (*summary(numbers), *warnings(numbers))]
    rows = list(zip(numbers['classes'], *columns))
    board.text('dataset', '\n'.join([*lines, '', _table(head, rows, 'classes')]))
    for number, picture in enumerate(pictures, start=1):
        board.image(f'dataset/training batch {number}', picture)


def show_validation(board: Board, epoch: int, evaluation: Evaluation, samples: Images, names: Sequence[str]) -> None:
    """Show what a validation found: a few images, and precision by recall of all boxes and of each class."""
    images = [(Path(path), result) for path, result in samples[:: -(-len(samples) // MOST_SAMPLES) or 1]]
    if images:
        grid = draw_grid(images, names, score_threshold=0.3, columns=_COLUMNS)
        board.image('validation/true and found boxes', grid, epoch)
    details = evaluation.details
    if details is None:
        return
    curves = [('precision and recall/all classes', details.counts.pooled, 0)]
    for label in rarest(evaluation.classes):
        curves.append((f'precision and recall by class/{names[label]}', details.counts, label))
    for tag, counts, column in curves:
        tp, fp = counts.tp[::_EACH, column], counts.fp[::_EACH, column]
        board.pr_curve(tag, tp, fp, int(counts.true_boxes[column]), epoch)


def rarest(classes: Sequence[ClassResult], most: int = _MOST_CURVES) -> List[int]:
    """Choose the classes that have true boxes, where there are too many those with the fewest, in their order."""
    known = [number for number, result in enumerate(classes) if result.true_boxes]
    return sorted(sorted(known, key=lambda number: classes[number].true_boxes)[:most])


def show_model(board: Board, epoch: int, report: ModelReport) -> None:
    """Show the figures of the model's page, its classes and its worst images."""
    for name, figure in model_figures(report).items():
        board.image(f'best model/{_FIGURES[name]}', png_bytes(figure), epoch)
    confusion = draw_confusion(*confusion_of(report))
    board.image('best model/confusion, by true class', png_bytes(confusion), epoch)
    show_settings(board, report.settings, epoch)
    board.text('best model/classes', _class_table(report.evaluation.classes), epoch)
    board.text('best model/worst images', '\n'.join(_worst(board, epoch, report)), epoch)


def _class_table(classes: Sequence[ClassResult]) -> str:
    head = ['class', 'true boxes', 'AP50', 'AP', 'precision', 'recall', 'F1']
    rows: List[Sequence[object]] = []
    for one in sorted(classes, key=lambda result: (not result.true_boxes, result.ap_50)):
        at = one.at_best
        shares = [one.ap_50, one.ap, *([at.precision, at.recall, at.f1] if at else [])]
        defined: Sequence[object] = shares if one.true_boxes else ['–'] * len(shares)
        rows.append([one.name, one.true_boxes, *defined])
    threshold = next((one.at_best.threshold for one in classes if one.at_best), None)
    told = '' if threshold is None else f'Precision, recall and F1 of boxes scored {threshold:.3f} and above.\n\n'
    return f'{told}Lowest AP50 first.\n\n{_table(head, rows, "classes")}'


def _worst(board: Board, epoch: int, report: ModelReport) -> Iterator[str]:
    """Draw the worst images into the board, and list their errors."""
    for number, worst in enumerate(report.analysis.worst[:_MOST_WORST], start=1):
        path = Path(report.paths[worst.image])
        picture = _drawn(path, worst, report)
        if picture is not None:
            board.image(f'worst images/{number:02}', picture, epoch)
        errors = list_errors(worst, report.analysis, report.class_names)
        yield f'\n**{number:02}: {escaped(path.name)}**, {worst.errors} errors, {len(worst.right)} right\n'
        for error in errors[:MOST_LISTED]:
            score = '' if error.score is None else f' {error.score:.2f}'
            true = '' if error.true_name is None else f', which is {escaped(error.true_name)}'
            yield f'{error.number}. {error.kind}: {escaped(error.class_name)}{score}{true}'


def _drawn(path: Path, worst: WorstImage, report: ModelReport) -> Optional[NDArray[np.uint8]]:
    """Draw the errors of an image; nothing where it cannot be read any more."""
    try:
        return draw_errors(read_image(path), worst, report.analysis)
    except ExecutorError:
        return None


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], what: str) -> str:
    left = len(rows) - _MOST_ROWS
    table = markdown_table(head, rows[:_MOST_ROWS])
    return table + (f'\n\nand {left} more {what}' if left > 0 else '')


def _side_by_side(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Put pictures into rows of four, each on white as large as the largest."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    columns = min(4, len(pictures))
    rows = -(-len(pictures) // columns)
    whole = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = number // columns * height, number % columns * width
        whole[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return whole
