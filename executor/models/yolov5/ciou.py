"""Compute the complete IoU (Zheng et al., Enhancing Geometric Factors, 2020): overlap, distance and shape in one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_EPS = 1e-7  # mmdet's `ciou_loss` has none where a box is found exactly, and gives NaN


def ciou(found: Tensor, true: Tensor) -> Tensor:
    """Compare (K, 4) x1 y1 x2 y2 row by row: (K,), 1 where they are the same."""
    width, height = (found[:, 2:] - found[:, :2]).unbind(1)
    true_width, true_height = (true[:, 2:] - true[:, :2]).unbind(1)
    inner = (torch.min(found[:, 2:], true[:, 2:]) - torch.max(found[:, :2], true[:, :2])).clamp(min=0)
    overlap = inner[:, 0] * inner[:, 1]
    iou = overlap / (width * height + true_width * true_height - overlap + _EPS)
    outer = torch.max(found[:, 2:], true[:, 2:]) - torch.min(found[:, :2], true[:, :2])
    apart = (found[:, :2] + found[:, 2:] - true[:, :2] - true[:, 2:]) / 2
    distance = (apart**2).sum(1) / ((outer**2).sum(1) + _EPS)
    shape = 4 / math.pi**2 * (torch.atan(true_width / true_height) - torch.atan(width / (height + _EPS))) ** 2
    with torch.no_grad():
        weight = (iou > 0.5) * shape / (1 - iou + shape + _EPS)
    return iou - distance - weight * shape
