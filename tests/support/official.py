"""Megvii's own export of YOLOX-nano, and its decoding written anew: what detector and mining are compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime


def official_graph(weights: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from (416, 416, 3) uint8 BGR to (3549, 85): x y w h raw, objectness and classes after the sigmoid."""
    session = onnxruntime.InferenceSession(str(weights / 'yolox_nano_coco_reference.onnx'))

    def run(pixels: np.ndarray) -> np.ndarray:
        return session.run(None, {'images': pixels.astype(np.float32).transpose(2, 0, 1)[None]})[0][0]

    return run


def decode(output: np.ndarray, scale: tuple[float, float]):
    """(3549, 85) raw x y w h, objectness, classes to boxes in image pixels, scores and labels (Megvii's decoding)."""
    grid = np.concatenate(
        [
            np.stack([np.tile(np.arange(n), n), np.repeat(np.arange(n), n), np.full(n * n, stride)], axis=1)
            for stride, n in ((8, 52), (16, 26), (32, 13))
        ]
    )
    center = (output[:, :2] + grid[:, :2]) * grid[:, 2:]
    size = np.exp(output[:, 2:4]) * grid[:, 2:]
    boxes = np.concatenate([center - size / 2, center + size / 2], axis=1) / np.array([*scale, *scale])
    classes = output[:, 4:5] * output[:, 5:]
    return boxes, classes.max(axis=1), classes.argmax(axis=1)


def greedy_nms(boxes, scores, labels, score_threshold, iou_threshold) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-scores):
        if scores[i] < score_threshold:
            break
        if all(labels[i] != labels[k] or _overlap(boxes[i], boxes[k]) <= iou_threshold for k in kept):
            kept.append(int(i))
    return kept


def _overlap(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
