"""Draw grids of images with their predicted boxes, and the true ones where they are known."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Callable, List, Sequence, Tuple

import cv2
import numpy as np

from executor.contract.errors import ExecutorError
from executor.contract.output.files import replace_file
from executor.detections import Detections
from executor.evaluation.results import NO_TRUTH, ImageResult
from executor.images.decode import image_size, read_image
from executor.report.labels import Labels, class_colour

logger = logging.getLogger(__name__)

_TILE_WIDTH = 480
_TILE_HEIGHTS = (200, 640)  # lowest and highest
_COLUMNS = 4
_HEAD = 28  # pixels of the line above the tiles
_TEXT = 15  # pixels of a line's text
_WHITE = (255, 255, 255)

_Images = Sequence[Tuple[Path, ImageResult]]


def draw_grid(
    images: _Images,
    class_names: Sequence[str],
    score_threshold: float,
    captions: Sequence[str] = (),
    columns: int = _COLUMNS,
) -> np.ndarray:
    """Draw one picture (H, W, 3) uint8 BGR: a tile an image, true boxes thick, predictions of `score_threshold` thin.

    Each class has a colour. All tiles have one size, in the proportion that is usual among the images. `captions`, one
    an image, go into the corners.
    """
    legend = 'thick: true'
    if any(len(result.found) for _, result in images):
        legend += f'; thin: predicted, score {score_threshold:g} and above'
    return _stacked(_tiles(images, class_names, score_threshold, captions), legend, columns)


def draw_detections(
    images: Sequence[Tuple[Path, Detections]],
    class_names: Sequence[str],
    score_threshold: float,
    captions: Sequence[str] = (),
    columns: int = _COLUMNS,
) -> np.ndarray:
    """Draw the same of images whose true boxes nobody knows."""
    results = [(path, ImageResult(number, NO_TRUTH, found)) for number, (path, found) in enumerate(images)]
    tiles = _tiles(results, class_names, score_threshold, captions)
    return _stacked(tiles, f'predicted, score {score_threshold:g} and above', columns)


def write_picture(path: Path, draw: Callable[[], np.ndarray]) -> bool:
    """Draw a picture and write it, whole or not at all, in the format its extension names; returns whether that worked.

    It is an extra: where it fails, for want of memory or of an image that was there before, a warning has to do.
    """
    try:
        _, data = cv2.imencode(path.suffix, draw())
        replace_file(path, data.tobytes())
    except (ExecutorError, OSError, MemoryError, cv2.error) as error:
        logger.warning('%s could not be drawn: %s', path.name, error)
        return False
    return True


def _tiles(
    images: _Images, class_names: Sequence[str], score_threshold: float, captions: Sequence[str]
) -> List[np.ndarray]:
    sizes = [image_size(path) for path, _ in images]
    height = int(np.median([_TILE_WIDTH * height / width for width, height in sizes]))
    blank = np.full((min(max(height, _TILE_HEIGHTS[0]), _TILE_HEIGHTS[1]), _TILE_WIDTH, 3), 255, np.uint8)
    # One at a time: they may be large.
    return [
        _tile(blank, read_image(path), result, class_names, score_threshold, caption)
        for (path, result), caption in zip(images, captions or [''] * len(images))
    ]


def _tile(
    blank: np.ndarray,
    image: np.ndarray,
    result: ImageResult,
    class_names: Sequence[str],
    score_threshold: float,
    caption: str,
) -> np.ndarray:
    """Draw the image as large as it fits into the blank tile, with its boxes."""
    scale = min(blank.shape[1] / image.shape[1], blank.shape[0] / image.shape[0])
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    canvas = blank.copy()
    canvas[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    shown = result.found.select(result.found.scores >= score_threshold)
    true, found = (scaled_corners(one.boxes, scale, canvas) for one in (result.truth, shown))
    for thickness, boxes, labels in ((2, true, result.truth.labels), (1, found, shown.labels)):
        for (x1, y1, x2, y2), label in zip(boxes, labels):
            cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), class_colour(label), thickness)
    texts = Labels(canvas)
    if caption:
        texts.write_line(caption, len(canvas), _TEXT)
    for box, label, score in zip(found, shown.labels, shown.scores):
        texts.write(f'{class_names[label]} {score:.2f}', box, class_colour(label))
    for box, label in zip(true, result.truth.labels):
        texts.write(class_names[label], box, _WHITE)
    return canvas


def scaled_corners(boxes: np.ndarray, scale: float, canvas: np.ndarray) -> List[List[int]]:
    """Scale boxes (N, 4) to whole pixels of the canvas, just outside it where they leave it.

    A model at the start of its training may predict boxes larger than any integer.
    """
    return np.clip(np.nan_to_num(boxes * scale), -2, max(canvas.shape) + 2).round().astype(int).tolist()


def _stacked(tiles: List[np.ndarray], legend: str, columns: int) -> np.ndarray:
    """Put the legend above rows of tiles."""
    columns = min(columns, len(tiles))
    tiles = tiles + [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    head = np.full((_HEAD, columns * _TILE_WIDTH, 3), 255, np.uint8)
    Labels(head).write_line(legend, _HEAD - 4, _TEXT)
    return np.vstack([head, *(np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns))])


def evenly_spaced(count: int, wanted: int) -> List[int]:
    """Spread `wanted` positions over `count` items; all of them where there are fewer."""
    return [int(i * count / min(count, wanted)) for i in range(min(count, wanted))]
