"""Make the page of a model: one HTML file that opens without a network, with a file of its numbers beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import jinja2
import numpy as np
from numpy.typing import NDArray

from executor.contract.output.files import replace_file
from executor.report.error_tiles import KIND_COLOURS, error_tile
from executor.report.figures import (
    Curve,
    draw_bars,
    draw_calibration,
    draw_curves,
    draw_histogram,
    draw_history,
    svg_uri,
)
from executor.report.model_report import ModelReport, Numbers, report_numbers

_MOST_CURVES = 9  # classes in a figure
_LARGEST = 20  # classes in the confusion matrix

_MEANINGS = {
    'classification': 'IoU 0.5 or more with a true box of another class',
    'localisation': 'IoU from 0.1 up to 0.5 with a true box of its class',
    'both': 'IoU from 0.1 up to 0.5 with a true box of another class',
    'duplicate': 'IoU 0.5 or more with a true box of its class that a better prediction has found',
    'background': 'IoU below 0.1 with every true box',
    'missed': 'a true box that nothing finds, and that no classification or localisation error is about',
}
_COCO_MEANINGS = {
    'AP': 'mean over IoU 0.50, 0.55 to 0.95',
    'AP_50': 'at IoU 0.50',
    'AP_75': 'at IoU 0.75',
    'AP_s': 'AP of small boxes, up to 32 x 32 pixels',
    'AP_m': 'AP of boxes from 32 x 32 up to 96 x 96 pixels',
    'AP_l': 'AP of larger boxes',
    'AR_1': 'recall with one prediction of a class in an image, mean over the IoUs',
    'AR_10': 'with 10',
    'AR_100': 'with 100',
    'AR_s': 'with 100, of small boxes',
    'AR_m': 'with 100, of boxes from 32 x 32 up to 96 x 96 pixels',
    'AR_l': 'with 100, of larger boxes',
}


def write_model_report(report: ModelReport, page: Path, numbers_file: Path) -> None:
    """Write the numbers and the page of a model, each whole or not at all.

    Raises:
        OSError: they cannot be written.
    """
    numbers = report_numbers(report)
    replace_file(numbers_file, json.dumps(numbers, ensure_ascii=False, allow_nan=False))
    replace_file(page, model_page(report, numbers))


def model_page(report: ModelReport, numbers: Numbers) -> str:
    """Write the page of a model."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(Path(__file__).parent / 'templates')),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters['number'] = lambda value: '–' if value is None else f'{value:.3f}'
    analysis, largest = report.analysis, _largest(report)
    curves = largest[: min(_MOST_CURVES, len(largest))]
    costs = {kind: cost.ap_50 for kind, cost in analysis.costs.items()}
    calibration = analysis.calibration
    return templates.get_template('model.html').render(
        numbers=numbers,
        true_boxes=sum(row['true_boxes'] for row in numbers['classes']),
        curves=len(curves),
        precision_recall=svg_uri(draw_curves(_precision_recall(report, curves), ('recall', 'precision'))),
        by_score=svg_uri(draw_curves(_by_score(numbers), ('score', ''), mark=analysis.threshold)),
        error_bars=svg_uri(draw_bars(costs, list(KIND_COLOURS.values()), 'AP50')),
        meanings=_MEANINGS,
        colours=KIND_COLOURS,
        confusion=_confusion(analysis.confusion, report.class_names, largest),
        calibration=svg_uri(draw_calibration(calibration.precision, calibration.mean_iou)),
        histogram=svg_uri(draw_histogram(calibration.count)),
        tiles=[
            error_tile(Path(report.paths[worst.image]), worst, analysis, report.class_names) for worst in analysis.worst
        ],
        coco_meanings=_COCO_MEANINGS,
        history={title: svg_uri(draw_history(title, curves)) for title, curves in _history(report)},
    )


def _largest(report: ModelReport) -> NDArray[np.int64]:
    """Return the classes that have true boxes, most first."""
    true_boxes = np.array([result.true_boxes for result in report.evaluation.classes])
    order = np.argsort(-true_boxes, kind='stable')
    return order[true_boxes[order] > 0]


def _precision_recall(report: ModelReport, classes: NDArray[np.int64]) -> List[Curve]:
    details = report.evaluation.details
    assert details is not None
    recall = np.linspace(0, 1, 101)
    found: List[Curve] = []
    for name, precision in (('mean', details.precision_50), ('mean, IoU 0.50 to 0.95', details.precision)):
        defined = precision[:, precision[0] >= 0]
        found.append((name, recall, defined.mean(axis=1) if defined.size else np.zeros(101)))
    return found + [(report.class_names[label], recall, details.precision_50[:, label]) for label in classes.tolist()]


def _by_score(numbers: Numbers) -> List[Curve]:
    shown = numbers['by_score']
    names = {'F1': 'f1', 'precision': 'precision', 'recall': 'recall'}
    return [(name, shown['score'], shown['all'][key]) for name, key in names.items()]


def _history(report: ModelReport) -> List[Tuple[str, List[Curve]]]:
    """Sort what is known of the epochs into panels: losses, learning rate, average precision."""
    by_name: Dict[str, Tuple[List[float], List[float]]] = {}
    for epoch, row in sorted(report.history.items()):
        for name, value in row.items():
            epochs, values = by_name.setdefault(name, ([], []))
            epochs.append(epoch)
            values.append(value)
    panels: Dict[str, List[Curve]] = {}
    for name, (epochs, values) in by_name.items():
        title = 'losses' if 'loss' in name else 'learning rate' if name == 'lr' else 'average precision'
        panels.setdefault(title, []).append((name, epochs, values))
    return list(panels.items())


def _confusion(matrix: NDArray[np.int64], class_names: Sequence[str], largest: NDArray[np.int64]) -> Dict[str, object]:
    """Sum up the classes beyond the 20 largest, and give each cell its share of the row."""
    classes = len(class_names)
    kept = np.sort(largest[:_LARGEST]) if classes > _LARGEST else np.arange(classes)
    rest = classes - len(kept)
    group = np.full(classes + 1, len(kept))
    group[kept] = np.arange(len(kept))
    group[-1] = len(kept) + bool(rest)
    small = np.zeros((group[-1] + 1, group[-1] + 1), np.int64)
    np.add.at(small, (group[:, None], group[None, :]), matrix)
    names = [class_names[label] for label in kept.tolist()] + [f'{rest} other classes'] * bool(rest)
    shares = small / np.maximum(1, small.sum(axis=1, keepdims=True))
    rows = [list(zip(counts, share)) for counts, share in zip(small.tolist(), shares.tolist())]
    return {'names': [*names, 'missed'], 'rows': list(zip([*names, 'nothing'], rows))}
