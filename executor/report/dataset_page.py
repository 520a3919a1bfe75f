"""Make the page of a dataset: one HTML file that opens without a network."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Sequence

import numpy as np
from matplotlib.figure import Figure

from executor.report.dataset_report import DatasetReport, TrainingPicture
from executor.report.drawing import draw_box, jpeg_uri, shrunk
from executor.report.figures import COLOURS, draw_heat, draw_shares, svg_uri
from executor.report.page import Numbers, fill_page
from executor.report.pictures import scaled_corners
from executor.survey.histogram import NUMBER_EDGES, SIZE_EDGES
from executor.survey.survey import TINY, SetSurvey

_SIDE = 320  # pixels of a picture at most
_MOST_PICTURES = 16  # of a batch
_MOST_CLASSES = 15  # in a figure
_MOST_NAMED = 6  # classes below a picture

_DRIFTS = {
    'classes': (
        'class shares',
        'the share of validation boxes that would have to be of another class for both sets to have the same shares',
    ),
    'size': ('box sizes', 'the largest difference between the shares of boxes up to a size (Kolmogorov-Smirnov)'),
}


class _Named(NamedTuple):
    """A class in a picture."""

    name: str
    colour: str
    boxes: int


class _Tile(NamedTuple):
    """A picture of a batch, with what is in it."""

    picture: str  # a data URI
    size: str
    classes: Sequence[_Named]  # most boxes first
    more: int  # classes that are not named


def dataset_page(report: DatasetReport, numbers: Numbers) -> str:
    """Write the page of a dataset."""
    survey, names = report.survey, report.class_names
    sets: Dict[str, SetSurvey] = {'training': survey.training}
    if survey.validation is not None:
        sets['validation'] = survey.validation
    return fill_page(
        'dataset.html',
        numbers=numbers,
        sets={name: numbers[name] for name in sets},
        classes=_class_rows(names, [numbers[name] for name in sets]),
        tiny=TINY,
        at='on disk' if report.input_size is None else '{} x {}'.format(*report.input_size),
        class_figure=svg_uri(_draw_classes(names, sets)),
        most_classes=_MOST_CLASSES,
        figures={title: svg_uri(figure) for title, figure in _draw_distributions(sets).items()},
        heat={name: svg_uri(draw_heat(one.centres, f'{name} images')) for name, one in sets.items()},
        drifts=_DRIFTS,
        batches=[[_tile(picture, names) for picture in batch[:_MOST_PICTURES]] for batch in report.batches],
        pictures=[len(batch) for batch in report.batches],
        no_batches=report.no_batches,
    )


def _class_rows(class_names: Sequence[str], sets: Sequence[Numbers]) -> List[Dict[str, object]]:
    """Give each class its boxes, their share of all, images, median size and tiny boxes in each of the sets."""
    rows: List[Dict[str, object]] = []
    for label, name in enumerate(class_names):
        cells: List[Dict[str, object]] = []
        for of in sets:
            cell = {key: values[label] for key, values in of['classes'].items()}
            cells.append({**cell, 'share': cell['boxes'] / max(1, of['boxes'])})
        rows.append({'name': name, 'cells': cells})
    return rows


def _draw_classes(class_names: Sequence[str], sets: Mapping[str, SetSurvey]) -> Figure:
    """Draw the share of each class, of those with the most boxes."""
    shares = {name: one.classes.boxes / max(1, one.boxes) for name, one in sets.items()}
    largest = np.argsort(-np.sum(list(shares.values()), axis=0), kind='stable')[:_MOST_CLASSES]
    drawn = {name: share[largest] for name, share in shares.items()}
    return draw_shares(drawn, [class_names[label] for label in largest], ('', 'boxes'))


def _draw_distributions(sets: Mapping[str, SetSurvey]) -> Dict[str, Figure]:
    numbers = [
        f'{low}' if low + 1 == high else f'{low} to {high - 1}' for low, high in zip(NUMBER_EDGES, NUMBER_EDGES[1:])
    ]
    numbers.append(f'{NUMBER_EDGES[-1]} or more')
    sizes = [f'{edge:.0f}' for edge in SIZE_EDGES]
    shapes = [2 ** (step / 2) for step in range(-6, 7)]  # in the middle of their bins
    aspects = [f'1:{1 / shape:.2g}' if shape < 1 else f'{shape:.2g}:1' for shape in shapes]
    number, size, aspect = (
        {name: getattr(one, key).share for name, one in sets.items()} for key in ('number', 'size', 'aspect')
    )
    return {
        'Boxes in an image': draw_shares(number, numbers, ('boxes', 'images')),
        'Size of boxes': draw_shares(size, sizes, ('square root of the area, pixels', 'boxes'), bounds=True),
        'Shape of boxes': draw_shares(aspect, aspects, ('width : height', 'boxes')),
    }


def _tile(picture: TrainingPicture, class_names: Sequence[str]) -> _Tile:
    """Draw a picture as a JPEG of at most 320 pixels a side, each box in the colour of its class."""
    canvas, scale = shrunk(picture.pixels, _SIDE)
    for corners, label in zip(scaled_corners(picture.boxes, scale, canvas), picture.labels.tolist()):
        draw_box(canvas, corners, _colour(label), 2)
    labels, boxes = np.unique(picture.labels, return_counts=True)
    order = np.argsort(-boxes, kind='stable').tolist()
    named = [_Named(class_names[labels[one]], _colour(labels[one]), int(boxes[one])) for one in order[:_MOST_NAMED]]
    height, width = picture.pixels.shape[:2]
    return _Tile(jpeg_uri(canvas), f'{width} x {height}', named, len(order) - len(named))


def _colour(label: int) -> str:
    return COLOURS[label % len(COLOURS)]
