"""Draw images with their errors, each in the colour of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Union

import cv2
import numpy as np

from executor.contract.errors import ExecutorError
from executor.evaluation.analysis import Analysis
from executor.evaluation.changes import ShownErrors
from executor.evaluation.errors import KINDS, MISSED
from executor.evaluation.worst import WorstImage
from executor.images.decode import read_image
from executor.report.drawing import bgr, draw_box, jpeg_uri, shrunk
from executor.report.pictures import scaled_corners

# By kind, told apart by people who see few colours, too.
KIND_COLOURS = dict(zip(KINDS, ('#e69f00', '#0072b2', '#cc79a7', '#f0e442', '#d55e00', '#e5188b')))
RIGHT_COLOUR = '#009e73'

_SIDE = 480  # pixels of a tile at most
MOST_LISTED = 12  # errors of an image
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Analysed = Union[Analysis, ShownErrors]  # predictions, and what is wrong with them


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


def error_tile(path: Path, worst: WorstImage, analysis: Analysed, class_names: Sequence[str]) -> Tile:
    """Draw an image as a JPEG of at most 480 pixels a side, and list its errors."""
    errors = list_errors(worst, analysis, class_names)
    try:
        picture: Optional[str] = jpeg_uri(draw_errors(read_image(path), worst, analysis))
    except ExecutorError:
        picture = None
    return Tile(path.name, picture, errors[:MOST_LISTED], len(errors[MOST_LISTED:]), len(worst.right))


def list_errors(worst: WorstImage, analysis: Analysed, class_names: Sequence[str]) -> List[Error]:
    """List the errors of an image by their numbers in its picture."""
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


def draw_errors(image: np.ndarray, worst: WorstImage, analysis: Analysed) -> np.ndarray:
    """Draw what is right thin, true boxes that errors are about thin, and errors bold, with their numbers."""
    matches, errors = analysis.matches, analysis.errors
    canvas, scale = shrunk(image, _SIDE)
    targets = errors.target[worst.wrong]
    for boxes in (matches.box[worst.right], matches.true_box[targets[targets >= 0]]):
        for corners in scaled_corners(boxes, scale, canvas):
            draw_box(canvas, corners, RIGHT_COLOUR, 1)
    kinds = [*errors.kind[worst.wrong], *[MISSED] * len(worst.missed)]
    boxes = np.concatenate([matches.box[worst.wrong], matches.true_box[worst.missed]])
    for number, (kind, corners) in enumerate(zip(kinds, scaled_corners(boxes, scale, canvas)), start=1):
        draw_box(canvas, corners, KIND_COLOURS[KINDS[kind]], 2)
        _number(canvas, corners, str(number), KIND_COLOURS[KINDS[kind]])
    return canvas


def _number(canvas: np.ndarray, corners: Sequence[int], text: str, colour: str) -> None:
    """Write a number on a ground of its colour, at the upper left corner of a box, inside the picture."""
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.4, 1)
    x = int(np.clip(corners[0], 0, max(0, canvas.shape[1] - width - 4)))
    y = int(np.clip(corners[1], 0, max(0, canvas.shape[0] - height - 5)))
    cv2.rectangle(canvas, (x, y), (x + width + 3, y + height + 4), bgr(colour), cv2.FILLED)
    cv2.putText(canvas, text, (x + 2, y + height + 2), _FONT, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
