"""Make the four views of cald: flipped, partly covered, smaller, turned.

Boxes are in continuous coordinates, the pixel i covers i..i+1. All views have the image's own size, so that a detector
that fits its input to the image sees a smaller object where the view makes it smaller; what is not image is black, as
in the paper's code.
"""

from __future__ import annotations

from typing import List, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from executor.detections import Detections, areas, overlap_areas
from mining.base import View

NAMES = ('flipped', 'partly covered', 'smaller', 'turned')  # of the views, in their order
LONGEST = 2**15 - 2  # pixels of a side
SHRINK = 0.8
ANGLE = 5.0  # degrees, counter-clockwise as seen
CUTS = 2
CUT_TRIES = 50
CUT_SIDE = (0.05, 0.2)  # of the image's height and of its width
CUT_COVERS = (0.1, 0.4)  # of the area of the box that a cut covers most


def make_views(image: NDArray[np.uint8], detections: Detections, rng: np.random.Generator) -> List[View]:
    """Make the views of an image, (H, W, 3) BGR, and of the boxes found in it; none where nothing was found."""
    if len(detections) == 0:
        return []
    image, boxes = _turnable(image, detections.boxes)
    return [flip(image, boxes), cut_out(image, boxes, rng), shrink(image, boxes), rotate(image, boxes)]


def _turnable(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Shrink an image, and its boxes, that is longer than OpenCV can turn."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    if scale == 1:
        return image, boxes
    size = max(1, int(width * scale)), max(1, int(height * scale))
    factors = np.array([size[0] / width, size[1] / height] * 2)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), (boxes * factors).astype(np.float32)


def flip(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> View:
    """Mirror the image and its boxes, left to right."""
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    return View(np.ascontiguousarray(image[:, ::-1]), mirrored)


def cut_out(image: NDArray[np.uint8], boxes: NDArray[np.float32], rng: np.random.Generator) -> View:
    """Cover the image with up to CUTS black rectangles of random size and place; the boxes stay as they are.

    The first of CUT_TRIES rectangles are taken whose effect is worth seeing: the box that one covers most is covered
    neither too little nor too much. So there may be fewer, and none where there is no box.
    """
    height, width = image.shape[:2]
    sides = rng.uniform(*CUT_SIDE, (CUT_TRIES, 2)) * (width, height)
    start = rng.uniform(0, 1, (CUT_TRIES, 2)) * ((width, height) - sides)
    cuts = np.concatenate([start, start + sides], axis=1).astype(int)  # (CUT_TRIES, 4), whole pixels
    overlap, area = overlap_areas(boxes, cuts), areas(boxes)[:, None]  # (N, CUT_TRIES), (N, 1)
    shares = np.divide(overlap, area, out=np.zeros_like(overlap), where=area > 0)  # 0 of an empty box
    covered = shares.max(axis=0, initial=0)  # (CUT_TRIES,)
    good = (covered >= CUT_COVERS[0]) & (covered <= CUT_COVERS[1])
    image = image.copy()
    for x1, y1, x2, y2 in cuts[good][:CUTS]:
        image[y1:y2, x1:x2] = 0
    return View(image, boxes.copy())


def shrink(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> View:
    """Scale the image and its boxes by SHRINK, into the top left corner of the canvas."""
    height, width = image.shape[:2]
    new_width, new_height = max(1, round(width * SHRINK)), max(1, round(height * SHRINK))
    canvas = np.zeros_like(image)
    canvas[:new_height, :new_width] = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    scale = np.array([new_width / width, new_height / height] * 2)
    return View(canvas, (boxes * scale).astype(np.float32))


def rotate(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> View:
    """Turn by ANGLE around the centre; the canvas grows with the turned image and is shrunk to the image's size.

    As in the paper's code; the predecessor cuts the corners off, and with them objects. A box becomes the upright
    rectangle around its turned corners, inside the canvas.
    """
    height, width = image.shape[:2]
    cos, sin = np.cos(np.radians(ANGLE)), np.sin(np.radians(ANGLE))
    size = np.array([width, height])
    turn = np.array([[cos, sin], [-sin, cos]])  # y points down, so this is counter-clockwise
    grow = size / (np.abs(turn) @ size)
    linear = grow[:, None] * turn  # (2, 2)
    offset = size / 2 - linear @ (size / 2)
    # OpenCV counts from pixel centres: index i is at i + 0.5.
    matrix = np.concatenate([linear, (linear @ [0.5, 0.5] + offset - 0.5)[:, None]], axis=1)  # (2, 3)
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    corners = linear @ np.stack([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) + offset[:, None]  # (4, 2, N)
    upright = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).T  # (N, 4)
    return View(turned, np.clip(upright, 0, np.tile(size, 2)).astype(np.float32))
