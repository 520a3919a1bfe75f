"""Draw the figures of a model, for its page and for TensorBoard."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from executor.evaluation.thresholds import THRESHOLDS
from executor.report.error_tiles import KIND_COLOURS
from executor.report.figures import Curve, draw_bars, draw_calibration, draw_curves, draw_histogram, draw_history
from executor.report.model_report import ModelReport

MOST_CURVES = 9  # classes in a figure
_EACH = 10  # of the thresholds, each tenth is drawn
_LARGEST = 20  # classes in the confusion matrix


class Confusion(NamedTuple):
    """What is taken for what, the classes beyond the 20 largest summed up."""

    names: Sequence[str]  # of the columns
    rows: Sequence[Tuple[str, Sequence[Tuple[int, float]]]]  # (name, (boxes, share of the row) by column)


def model_figures(report: ModelReport) -> Dict[str, Figure]:
    """Draw what there is beside the history, by the names that the page's template has for them."""
    analysis, calibration = report.analysis, report.analysis.calibration
    costs = {kind: cost.ap_50 for kind, cost in analysis.costs.items()}
    precision_recall = _precision_recall(report, largest_classes(report)[:MOST_CURVES])
    return {
        'precision_recall': draw_curves(precision_recall, ('recall', 'precision')),
        'by_score': draw_curves(_by_score(report), ('score', ''), mark=analysis.threshold),
        'error_bars': draw_bars(costs, list(KIND_COLOURS.values()), 'AP50'),
        'calibration': draw_calibration(calibration.precision, calibration.mean_iou),
        'histogram': draw_histogram(calibration.count),
    }


def history_figures(report: ModelReport) -> Dict[str, Figure]:
    """Draw what is known of the epochs, by title."""
    return {title: draw_history(title, curves) for title, curves in _history(report)}


def largest_classes(report: ModelReport) -> NDArray[np.int64]:
    """Return the classes that have true boxes, most first."""
    true_boxes = np.array([result.true_boxes for result in report.evaluation.classes])
    order = np.argsort(-true_boxes, kind='stable')
    return order[true_boxes[order] > 0]


def confusion_of(report: ModelReport) -> Confusion:
    """Sum up the classes beyond the 20 largest, and give each cell its share of the row."""
    matrix, class_names, largest = report.analysis.confusion, report.class_names, largest_classes(report)
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
    return Confusion([*names, 'missed'], list(zip([*names, 'nothing'], rows)))


def _precision_recall(report: ModelReport, classes: NDArray[np.int64]) -> List[Curve]:
    details = report.evaluation.details
    assert details is not None
    recall = np.linspace(0, 1, 101)
    found: List[Curve] = []
    for name, precision in (('mean', details.precision_50), ('mean, IoU 0.50 to 0.95', details.precision)):
        defined = precision[:, precision[0] >= 0]
        found.append((name, recall, defined.mean(axis=1) if defined.size else np.zeros(101)))
    return found + [(report.class_names[label], recall, details.precision_50[:, label]) for label in classes.tolist()]


def _by_score(report: ModelReport) -> List[Curve]:
    details = report.evaluation.details
    assert details is not None
    counts = details.counts.pooled
    curves = {'F1': counts.f1, 'precision': counts.precision, 'recall': counts.recall}
    return [(name, THRESHOLDS[::_EACH], curve[::_EACH, 0]) for name, curve in curves.items()]


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
