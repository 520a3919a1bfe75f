"""Draw an image that mining ranks high, and in it why, as far as the algorithm says so."""

from __future__ import annotations

from typing import List, Optional, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections
from executor.report.drawing import shrunk
from executor.report.labels import Colour, Labels, class_colour
from executor.report.mining_report import SHOWN_SCORE, MakeViews, Ranked
from executor.report.pictures import scaled_corners
from mining.base import Heat, ShownView

SIDE = 400  # pixels of an image at most
IMAGE_COLOUR, VIEW_COLOUR = (
    (0, 159, 230),
    (178, 114, 0),
)  # BGR, of the box of the image and of what the view shows of it

_MOST_NAMED = 12  # boxes of an image
_LONGEST_NAME = 13  # characters, so that there is room for the numbers
_GAP = 4  # pixels between an image and its view
_MOST_OF_A_BOX = 0.531  # bits, at p = 1 / e; what colours go up to
_THICK = 0.25  # of that: boxes that add as much


def draw_why(
    image: NDArray[np.uint8], ranked: Ranked, class_names: Sequence[str], views: Optional[MakeViews]
) -> np.ndarray:
    """Draw (H, W, 3) uint8 BGR: the image with its boxes, and with heat, the boxes' parts or a view where there are."""
    canvas, scale = shrunk(image, SIDE)
    why, found = ranked.why, ranked.found
    if why is not None and why.view is not None and views is not None:
        return _with_view(canvas, image, scale, ranked, why.view, views, class_names)
    if why is not None and why.box_parts is not None:
        _draw_parts(canvas, scale, found, why.box_parts, class_names)
        return canvas
    if why is not None and why.heat is not None:
        canvas = _heated(canvas, scale, why.heat)
    draw_found(canvas, scale, found.select(found.scores >= SHOWN_SCORE), class_names)
    return canvas


def draw_found(canvas: np.ndarray, scale: float, found: Detections, class_names: Sequence[str]) -> None:
    """Draw boxes in the colours of their classes, the first ones with name and score."""
    corners = scaled_corners(found.boxes, scale, canvas)
    for box, label in zip(corners, found.labels.tolist()):
        _rectangle(canvas, box, class_colour(label), 1)
    texts = Labels(canvas)
    for box, label, score in list(zip(corners, found.labels.tolist(), found.scores.tolist()))[:_MOST_NAMED]:
        texts.write(f'{_short(class_names[label])} {score:.2f}', box, class_colour(label))


def scale_colours(values: Sequence[float]) -> List[Colour]:
    """Give the colours of values in 0..1 as heat and parts have them, dark to bright."""
    levels = np.clip(np.array(values, np.float64) * 205 + 50, 0, 255).astype(np.uint8)
    return [(b, g, r) for b, g, r in cv2.applyColorMap(levels[None], cv2.COLORMAP_INFERNO)[0].tolist()]


def _draw_parts(
    canvas: np.ndarray, scale: float, found: Detections, parts: NDArray[np.float64], class_names: Sequence[str]
) -> None:
    """Draw each box in the colour of what it adds, what adds most on top and with name, score and addition."""
    order = np.argsort(parts, kind='stable')
    corners = scaled_corners(found.boxes[order], scale, canvas)
    if not len(order):
        return
    shares = parts[order] / max(_MOST_OF_A_BOX, parts.max())  # more by the weights of classes alone
    colours = scale_colours(shares.tolist())
    for box, share, colour in zip(corners, shares.tolist(), colours):
        _rectangle(canvas, box, colour, 2 if share >= _THICK else 1)
    texts = Labels(canvas)
    for box, number, colour in list(zip(corners, order.tolist(), colours))[: -_MOST_NAMED - 1 : -1]:
        name = _short(class_names[found.labels[number]])
        texts.write(f'{name} {found.scores[number]:.2f} +{parts[number]:.2f}', box, colour)


def _heated(canvas: np.ndarray, scale: float, heat: Heat) -> np.ndarray:
    """Lay heat over the image, the greyer the more; the brightest is the highest of this image."""
    height, width = canvas.shape[:2]
    rows, columns = heat.values.shape
    size = (max(width, round(columns * heat.cell[0] * scale)), max(height, round(rows * heat.cell[1] * scale)))
    values = np.maximum(cv2.resize(heat.values, size, interpolation=cv2.INTER_LINEAR)[:height, :width], 0)
    values = values / max(1e-12, float(heat.values.max()))
    colours = cv2.applyColorMap(np.clip(values * 205 + 50, 0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = (0.75 * np.sqrt(np.minimum(values, 1)))[:, :, None]
    return (canvas * (1 - share) + colours * share).round().astype(np.uint8)


def _with_view(
    canvas: np.ndarray,
    image: NDArray[np.uint8],
    scale: float,
    ranked: Ranked,
    shown: ShownView,
    make_views: MakeViews,
    class_names: Sequence[str],
) -> np.ndarray:
    """Draw the image with the box that decides, and the view with this box as it should lie and what is found of it."""
    view = make_views(image, ranked.found, ranked.position)[shown.number].image
    changed = cv2.resize(view, canvas.shape[1::-1], interpolation=cv2.INTER_AREA)
    view_scale, match = canvas.shape[1] / view.shape[1], [] if shown.match is None else [shown.match]
    found, there, own = ranked.found, shown.seen.found.select(np.array(match, np.int64)), np.array([shown.box])
    _draw_named(canvas, scale, found.select(own), IMAGE_COLOUR, class_names)
    for corners in scaled_corners(shown.seen.boxes[own], view_scale, changed):
        _rectangle(changed, corners, IMAGE_COLOUR, 2)
    _draw_named(changed, view_scale, there, VIEW_COLOUR, class_names)
    high = canvas.shape[0] > canvas.shape[1]
    gap = np.full((canvas.shape[0], _GAP, 3) if high else (_GAP, canvas.shape[1], 3), 255, np.uint8)
    return np.concatenate([canvas, gap, changed], axis=1 if high else 0)


def _draw_named(
    canvas: np.ndarray, scale: float, found: Detections, colour: Colour, class_names: Sequence[str]
) -> None:
    """Draw boxes of one colour, with name and score."""
    texts = Labels(canvas)
    for corners, label, score in zip(scaled_corners(found.boxes, scale, canvas), found.labels, found.scores):
        _rectangle(canvas, corners, colour, 2)
        texts.write(f'{_short(class_names[label])} {score:.2f}', corners, colour)


def _rectangle(canvas: np.ndarray, corners: Sequence[int], colour: Colour, thickness: int) -> None:
    x1, y1, x2, y2 = corners
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, thickness)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f'{name[: _LONGEST_NAME - 1]}…'
