"""Draw images with their errors, each in the colour of its kind."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from executor.contract.errors import ExecutorError
from executor.evaluation.analysis import Analysis
from executor.evaluation.errors import KINDS, MISSED
from executor.evaluation.worst import WorstImage
from executor.images.decode import read_image
from executor.report.pictures import scaled_corners

# By kind, told apart by people who see few colours, too.
KIND_COLOURS = dict(zip(KINDS, ('#e69f00', '#0072b2', '#cc79a7', '#f0e442', '#d55e00', '#e5188b')))
RIGHT_COLOUR = '#009e73'

_SIDE = 480  # pixels of a tile at most
_QUALITY = 80
_MOST_LISTED = 12  # errors of an image
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Error:
    """One error of an image, as it is written below it."""

    number: int  # in the picture, from 1
    kind: str
    class_name: str  # what it was called; of a missed box what it is
    score: Optional[float]  # None for a missed box
    true_name: Optional[str]  # of the true box that a classification or localisation error is about


@dataclass(frozen=True)
class Tile:
    """One image with its errors."""

    name: str
    picture: Optional[str]  # a data URI; None where the image cannot be read any more
    errors: Sequence[Error]
    more: int  # errors that are not listed
    right: int


def error_tile(path: Path, worst: WorstImage, analysis: Analysis, class_names: Sequence[str]) -> Tile:
    """Draw an image as a JPEG of at most 480 pixels a side, and list its errors."""
    errors = _errors(worst, analysis, class_names)
    try:
        picture: Optional[str] = _uri(_drawn(read_image(path), worst, analysis))
    except ExecutorError:
        picture = None
    return Tile(path.name, picture, errors[:_MOST_LISTED], len(errors[_MOST_LISTED:]), len(worst.right))


def _errors(worst: WorstImage, analysis: Analysis, class_names: Sequence[str]) -> List[Error]:
    matches, errors = analysis.matches, analysis.errors
    found = []
    for number, position in enumerate(worst.wrong, start=1):
        target = errors.target[position]
        true_name = class_names[matches.true_label[target]] if target >= 0 else None
        name, score = class_names[matches.label[position]], float(matches.score[position])
        found.append(Error(number, KINDS[errors.kind[position]], name, score, true_name))
    for number, position in enumerate(worst.missed, start=len(found) + 1):
        found.append(Error(number, KINDS[MISSED], class_names[matches.true_label[position]], None, None))
    return found


def _drawn(image: np.ndarray, worst: WorstImage, analysis: Analysis) -> np.ndarray:
    """Draw what is right thin, true boxes that errors are about thin, and errors bold, with their numbers."""
    matches, errors = analysis.matches, analysis.errors
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    canvas = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    targets = errors.target[worst.wrong]
    for boxes in (matches.box[worst.right], matches.true_box[targets[targets >= 0]]):
        for corners in scaled_corners(boxes, scale, canvas):
            _rectangle(canvas, corners, RIGHT_COLOUR, 1)
    kinds = [*errors.kind[worst.wrong], *[MISSED] * len(worst.missed)]
    boxes = np.concatenate([matches.box[worst.wrong], matches.true_box[worst.missed]])
    for number, (kind, corners) in enumerate(zip(kinds, scaled_corners(boxes, scale, canvas)), start=1):
        _rectangle(canvas, corners, KIND_COLOURS[KINDS[kind]], 2)
        _number(canvas, corners, str(number), KIND_COLOURS[KINDS[kind]])
    return canvas


def _rectangle(canvas: np.ndarray, corners: Sequence[int], colour: str, thickness: int) -> None:
    x1, y1, x2, y2 = corners
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), _bgr(colour), thickness)


def _number(canvas: np.ndarray, corners: Sequence[int], text: str, colour: str) -> None:
    """Write a number on a ground of its colour, at the upper left corner of a box, inside the picture."""
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.4, 1)
    x = int(np.clip(corners[0], 0, max(0, canvas.shape[1] - width - 4)))
    y = int(np.clip(corners[1], 0, max(0, canvas.shape[0] - height - 5)))
    cv2.rectangle(canvas, (x, y), (x + width + 3, y + height + 4), _bgr(colour), cv2.FILLED)
    cv2.putText(canvas, text, (x + 2, y + height + 2), _FONT, 0.4, (0, 0, 0), 1, cv2.LINE_AA)


def _bgr(colour: str) -> Tuple[int, int, int]:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return blue, green, red


def _uri(picture: np.ndarray) -> str:
    _, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode('ascii')
