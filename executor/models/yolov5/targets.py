"""Choose which anchors of which cells learn from which box, as YOLOv5 does."""

from __future__ import annotations

from typing import NamedTuple, Tuple

import torch
from torch import Tensor


class TrueBoxes(NamedTuple):
    """The M boxes of a batch."""

    image: Tensor  # (M,) its number in the batch
    label: Tensor  # (M,)
    boxes: Tensor  # (M, 4) x1 y1 x2 y2 in pixels


class Targets(NamedTuple):
    """The K places of a level that learn from a box, and that box."""

    image: Tensor  # (K,)
    anchor: Tensor  # (K,)
    y: Tensor  # (K,) the cell's row
    x: Tensor  # (K,) the cell's column
    label: Tensor  # (K,)
    boxes: Tensor  # (K, 4) x1 y1 x2 y2 in pixels


def least_of_each(places: Tensor, losses: Tensor) -> Tensor:
    """Choose, by their numbers, of (K,) places that are the same the one of the smallest loss."""
    order = losses.argsort(descending=True)
    by_place, numbers = places[order].sort(stable=True)
    is_last = torch.ones_like(by_place, dtype=torch.bool)
    is_last[:-1] = by_place[1:] != by_place[:-1]
    return order[numbers[is_last]]


def targets_of(truth: TrueBoxes, anchors: Tensor, stride: int, shape: Tuple[int, int], largest_ratio: float) -> Targets:
    """Choose the places of one level.

    A box is learned by each anchor that is not `largest_ratio` times as wide or high, nor the box so much larger, in
    the cell that holds its centre and in the nearer neighbour to the side, and above or below.

    Args:
        truth: the boxes of the batch.
        anchors: (A, 2) width and height in pixels.
        stride: of the level, in pixels.
        shape: rows and columns of the level.
        largest_ratio: of sides.
    """
    sides = truth.boxes[:, 2:] - truth.boxes[:, :2]  # (M, 2)
    ratio = sides[None] / anchors[:, None]  # (A, M, 2)
    anchor, number = torch.where(torch.max(ratio, 1 / ratio).amax(dim=2) < largest_ratio)
    centre = (truth.boxes[number, :2] + truth.boxes[number, 2:]) / (2 * stride)  # (K, 2) in cells
    height, width = shape
    size = centre.new_tensor([width, height])
    own = torch.min(centre.floor(), size - 1)
    step = (centre - own - 0.5).sign()  # to the nearer neighbours; 0 where both are as far
    right, down = step * step.new_tensor([1, 0]), step * step.new_tensor([0, 1])
    cells = torch.cat([own, own + right, own + down])
    moved = torch.cat([torch.ones_like(own[:, 0]), step[:, 0], step[:, 1]])
    inside = (moved != 0) & (cells >= 0).all(dim=1) & (cells < size).all(dim=1)
    anchor, number = anchor.repeat(3)[inside], number.repeat(3)[inside]
    x, y = cells[inside].long().unbind(dim=1)
    return Targets(truth.image[number], anchor, y, x, truth.label[number], truth.boxes[number])
