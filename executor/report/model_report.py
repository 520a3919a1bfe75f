"""Put together what is known of a model, as plain numbers: the content of its report.json, and of its page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import List, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.evaluation.analysis import Analysis
from executor.evaluation.coco import COCO_NAMES, Evaluation
from executor.evaluation.lost import LostBoxes
from executor.evaluation.matching import IOU
from executor.evaluation.thresholds import THRESHOLDS, Counts
from executor.report.page import Numbers, rounded

_EACH = 10  # of the thresholds, each tenth is written


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
    speed: Optional[Mapping[str, object]] = None  # of an image here; None where it was not measured
    lost: Optional[LostBoxes] = None  # in NMS; None where that is not known


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
        'coco': {name: None if value < 0 else rounded(value) for name, value in zip(COCO_NAMES, details.coco)},
        'platform': {
            **{'mAP': rounded(evaluation.mAP_50), 'mAR': rounded(evaluation.mAR)},
            **{'tp': evaluation.tp, 'fp': evaluation.fp, 'fn': evaluation.fn, **EVALUATE_CONFIG},
        },
        'iou': IOU,
        'best': rounded(asdict(details.best)),
        'classes': _class_numbers(report),
        'precision_by_recall': {
            'recall': rounded(np.linspace(0, 1, 101)),
            'classes_iou_50': _defined(details.precision_50.T),
            'classes_iou_50_to_95': _defined(details.precision.T),
        },
        'by_score': {
            'score': rounded(THRESHOLDS[::_EACH]),
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
        'errors': {name: {'boxes': cost.boxes, 'ap_50': rounded(cost.ap_50)} for name, cost in analysis.costs.items()},
        'localisation': rounded(analysis.localisation._asdict()),
        'calibration': rounded(asdict(analysis.calibration)),
        'lost_in_nms': None if report.lost is None else _lost_numbers(report.lost, report.class_names),
        'speed': None if report.speed is None else rounded(dict(report.speed)),
        'history': [{'epoch': epoch, **rounded(dict(row))} for epoch, row in sorted(report.history.items())],
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
            'ap': rounded(result.ap) if result.true_boxes else None,
            'ap_50': rounded(result.ap_50) if result.true_boxes else None,
            'at_best': rounded(asdict(result.at_best)) if result.at_best else None,
            'at_own': rounded(asdict(at_own)) if at_own.f1 else None,
        }
        for result, at_own in zip(report.evaluation.classes, own)
    ]


def _lost_numbers(lost: LostBoxes, class_names: Sequence[str]) -> Numbers:
    classes = [
        {
            'name': class_names[label],
            'boxes': int((lost.label == label).sum()),
            'pair_iou': rounded(np.sort(lost.pair_iou[lost.label == label])),
        }
        for label in np.unique(lost.label).tolist()
    ]
    counts = {'images': lost.images, 'images_with_missed': lost.images_with_missed, 'missed': lost.missed}
    return {**counts, 'boxes': len(lost.label), 'classes': classes}


def _score_curves(counts: Counts) -> List[Numbers]:
    """Give precision, recall and F1 of each class by score."""
    curves = {'precision': counts.precision, 'recall': counts.recall, 'f1': counts.f1}
    plain = {name: rounded(curve[::_EACH].T) for name, curve in curves.items()}
    return [dict(zip(plain, values)) for values in zip(*plain.values())]


def _defined(precision: NDArray[np.float64]) -> List[object]:
    """Write a precision by recall for each class, None for one without true boxes."""
    return [rounded(row) if row[0] >= 0 else None for row in precision]


def _text(value: object) -> object:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
