"""A grid of validation images with the predicted and the true boxes."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Tuple

import cv2
import numpy as np

from executor.images import read_image
from executor.report.evaluation import ImageResult

_TILE = (480, 360)  # width, height
_COLUMNS = 4
_TRUE = (80, 200, 80)  # BGR
_PREDICTED = (40, 90, 240)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_grid(
    images: Sequence[Tuple[Path, ImageResult]], class_names: Sequence[str], score_threshold: float
) -> np.ndarray:
    """One picture (H, W, 3) uint8 BGR: a tile an image, true boxes green, predictions of `score_threshold` red."""
    tiles = [_tile(path, result, class_names, score_threshold) for path, result in images]
    columns = min(_COLUMNS, len(tiles))
    blank = np.full((_TILE[1], _TILE[0], 3), 255, np.uint8)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([_legend(columns * _TILE[0], score_threshold), *rows])


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture in the format its extension names, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(path.suffix, picture)
    beside = path.with_name(f'.{path.name}')
    beside.write_bytes(data.tobytes())
    beside.replace(path)


def _tile(path: Path, result: ImageResult, class_names: Sequence[str], score_threshold: float) -> np.ndarray:
    image = read_image(path)
    height, width = image.shape[:2]
    scale = min(_TILE[0] / width, _TILE[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.full((_TILE[1], _TILE[0], 3), 255, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    for box in result.true_boxes:
        _rectangle(canvas, box * scale, _TRUE, 2)
    shown = result.scores >= score_threshold
    for box, label, score in zip(result.boxes[shown], result.labels[shown], result.scores[shown]):
        _rectangle(canvas, box * scale, _PREDICTED, 1)
        place = (int(box[0] * scale) + 2, max(10, int(box[1] * scale) - 3))
        cv2.putText(canvas, f'{class_names[label]} {score:.2f}', place, _FONT, 0.38, _PREDICTED, 1, cv2.LINE_AA)
    return canvas


def _rectangle(canvas: np.ndarray, box: np.ndarray, colour: Tuple[int, int, int], thickness: int) -> None:
    x1, y1, x2, y2 = (int(round(float(value))) for value in box)
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, thickness)


def _legend(width: int, score_threshold: float) -> np.ndarray:
    legend = np.full((28, width, 3), 255, np.uint8)
    cv2.putText(legend, 'true', (8, 19), _FONT, 0.5, _TRUE, 2, cv2.LINE_AA)
    text = f'predicted, score {score_threshold:g} and above'
    cv2.putText(legend, text, (60, 19), _FONT, 0.5, _PREDICTED, 1, cv2.LINE_AA)
    return legend


def evenly_spaced(count: int, wanted: int) -> List[int]:
    """`wanted` positions spread over `count` items, all of them where there are fewer."""
    return [int(i * count / min(count, wanted)) for i in range(min(count, wanted))]
