"""Put together what is known of a model, as plain numbers: the content of its report.json, and of its page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.evaluation.analysis import Analysis
from executor.evaluation.coco import COCO_NAMES, Evaluation
from executor.evaluation.matching import IOU
from executor.evaluation.thresholds import THRESHOLDS, Counts

_EACH = 10  # of the thresholds, each tenth is written

Numbers = Dict[str, Any]  # what JSON can hold


@dataclass(frozen=True)
class ModelReport:
    """A model that was validated, and what is known of its training."""

    title: str
    stage: str
    class_names: Sequence[str]
    evaluation: Evaluation  # with its details
    analysis: Analysis
    paths: Sequence[str]  # of the images analysed
    images: int  # validated; of so many that memory is short not all are analysed
    history: Mapping[int, Mapping[str, float]]  # losses, rate and AP by epoch
    settings: Mapping[str, Mapping[str, object]]  # values by name, by heading


def report_numbers(report: ModelReport) -> Numbers:
    """Write every number of a report as plain values; None is undefined."""
    evaluation, analysis = report.evaluation, report.analysis
    details = evaluation.details
    assert details is not None, 'a report is of a validation'
    counts = details.counts
    return {
        'title': report.title,
        'stage': report.stage,
        'images': report.images,
        'images_analysed': analysis.matches.images,
        'coco': {name: None if value < 0 else _rounded(value) for name, value in zip(COCO_NAMES, details.coco)},
        'platform': {
            **{'mAP': _rounded(evaluation.mAP_50), 'mAR': _rounded(evaluation.mAR)},
            **{'tp': evaluation.tp, 'fp': evaluation.fp, 'fn': evaluation.fn, **EVALUATE_CONFIG},
        },
        'iou': IOU,
        'best': _rounded(asdict(details.best)),
        'classes': _class_numbers(report),
        'precision_by_recall': {
            'recall': _rounded(np.linspace(0, 1, 101)),
            'classes_iou_50': _defined(details.precision_50.T),
            'classes_iou_50_to_95': _defined(details.precision.T),
        },
        'by_score': {
            'score': _rounded(THRESHOLDS[::_EACH]),
            'all': _score_curves(counts.pooled)[0],
            'classes': _score_curves(counts),
        },
        'confusion': {
            'names': [*report.class_names, 'background'],
            'true_predicted_boxes': [
                [int(true), int(predicted), int(analysis.confusion[true, predicted])]
                for true, predicted in zip(*np.nonzero(analysis.confusion))
            ],
        },
        'errors': {name: {'boxes': cost.boxes, 'ap_50': _rounded(cost.ap_50)} for name, cost in analysis.costs.items()},
        'localisation': _rounded(analysis.localisation._asdict()),
        'calibration': _rounded(asdict(analysis.calibration)),
        'history': [{'epoch': epoch, **_rounded(dict(row))} for epoch, row in sorted(report.history.items())],
        'settings': {
            heading: {key: _text(value) for key, value in of.items()} for heading, of in report.settings.items()
        },
    }


def _class_numbers(report: ModelReport) -> List[Numbers]:
    details = report.evaluation.details
    assert details is not None
    own = details.counts.at(details.counts.best_levels)
    return [
        {
            'name': result.name,
            'true_boxes': result.true_boxes,
            'ap': _rounded(result.ap) if result.true_boxes else None,
            'ap_50': _rounded(result.ap_50) if result.true_boxes else None,
            'at_best': _rounded(asdict(result.at_best)) if result.at_best else None,
            'at_own': _rounded(asdict(at_own)) if at_own.f1 else None,
        }
        for result, at_own in zip(report.evaluation.classes, own)
    ]


def _score_curves(counts: Counts) -> List[Numbers]:
    """Give precision, recall and F1 of each class by score."""
    curves = {'precision': counts.precision, 'recall': counts.recall, 'f1': counts.f1}
    plain = {name: _rounded(curve[::_EACH].T) for name, curve in curves.items()}
    return [dict(zip(plain, values)) for values in zip(*plain.values())]


def _defined(precision: NDArray[np.float64]) -> List[object]:
    """Write a precision by recall for each class, None for one without true boxes."""
    return [_rounded(row) if row[0] >= 0 else None for row in precision]


def _rounded(value: Any) -> Any:
    """Write numbers with four decimals, in arrays, dicts and lists, too; a small one keeps four digits."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, np.ndarray)):
        return [_rounded(one) for one in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return (round(number, 4) if abs(number) >= 0.1 else float(f'{number:.4g}')) if np.isfinite(number) else None
    return value


def _text(value: object) -> object:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
