"""Make the page of a model: one HTML file that opens without a network, with a file of its numbers beside it."""

from __future__ import annotations

from pathlib import Path

from executor.report.error_tiles import KIND_COLOURS, error_tile
from executor.report.figures import svg_uri
from executor.report.model_figures import MOST_CURVES, confusion_of, history_figures, largest_classes, model_figures
from executor.report.model_report import ModelReport, report_numbers
from executor.report.page import Numbers, fill_page, write_page

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
    write_page(page, model_page(report, numbers), numbers_file, numbers)


def model_page(report: ModelReport, numbers: Numbers) -> str:
    """Write the page of a model."""
    analysis = report.analysis
    return fill_page(
        'model.html',
        numbers=numbers,
        true_boxes=sum(row['true_boxes'] for row in numbers['classes']),
        curves=min(MOST_CURVES, len(largest_classes(report))),
        **{name: svg_uri(figure) for name, figure in model_figures(report).items()},
        meanings=_MEANINGS,
        colours=KIND_COLOURS,
        confusion=confusion_of(report),
        tiles=[
            error_tile(Path(report.paths[worst.image]), worst, analysis, report.class_names) for worst in analysis.worst
        ],
        coco_meanings=_COCO_MEANINGS,
        history={title: svg_uri(figure) for title, figure in history_figures(report).items()},
    )
