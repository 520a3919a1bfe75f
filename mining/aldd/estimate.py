"""Estimate and bound the uncertainty of every cell, cheaply, to choose the cells worth computing (docs/aldd.md)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mining.aldd.cells import CELL, WINDOW, HeightWidth, Levels, axis, negative_entropy

_STEP = 4  # pixels between the estimate's points
_VARIANCE = (WINDOW**2 - 1) / 12  # of a window's pixels along one axis, in pixels squared


def estimate(levels: Levels, size: HeightWidth) -> Tensor:
    """Estimate the largest uncertainty in each cell, (C, R, K), of levels of (C, h, w) probabilities.

    The formula on every fourth point, the window replaced by three points along each axis that have its variance. It
    misses the sharpest peaks and comes out near three quarters of the true value, of large and of small cells alike.
    """
    height, width = -(-size[0] // _STEP), -(-size[1] // _STEP)
    at_once = 8 if levels[0].device.type == 'cpu' else len(levels[0])  # classes, what stays in a core's cache
    found = []
    for start in range(0, len(levels[0]), at_once):
        total = 0
        for level in levels:
            part = level[None, start : start + at_once]
            p = F.interpolate(part, (height, width), mode='bilinear', align_corners=False)
            total = total + _three_points(negative_entropy(p)).sub_(negative_entropy(_three_points(p)))
        found.append(F.max_pool2d(total, CELL // _STEP, ceil_mode=True)[0].clamp_min_(0))
    return torch.cat(found)


def _three_points(values: Tensor) -> Tensor:
    """Average (1, C, h, w) over the three points that stand for the window, along each axis; the border is repeated."""
    side = _VARIANCE / (2 * _STEP**2)
    padded = F.pad(values, (1, 1, 1, 1), mode='replicate')
    for dim in (2, 3):
        length = padded.shape[dim] - 2
        ends = padded.narrow(dim, 0, length) + padded.narrow(dim, 2, length)
        padded = ends.mul_(side).add_(padded.narrow(dim, 1, length), alpha=1 - 2 * side)
    return padded


def bound(level: Tensor, size: HeightWidth) -> Tensor:
    """Bound the uncertainty of a level in each cell from above, (C, R, K), for (C, h, w) probabilities.

    The smaller of two bounds, by the capacity of a channel and by the variance in a window; docs/aldd.md proves both.
    """
    height, width = (axis(pixels, n, level.dtype, level.device) for pixels, n in zip(size, level.shape[1:]))
    low = -_largest(-level, height.index, width.index)
    high = _largest(level, height.index, width.index)
    down = F.pad((level[:, 1:] - level[:, :-1]).abs(), (0, 0, 0, 1))  # to the next position; none after the last
    right = F.pad((level[:, :, 1:] - level[:, :, :-1]).abs(), (0, 1))
    slope_y = _largest(down, _without_last(height.index), width.index) * (level.shape[1] / size[0])  # a pixel
    slope_x = _largest(right, height.index, _without_last(width.index)) * (level.shape[2] / size[1])
    reach = torch.minimum((slope_y + slope_x) * (WINDOW - 1), high - low)
    capacity = torch.maximum(_capacity(low + reach, reach), _capacity(1 - high + reach, reach))
    variance = (slope_y**2 + slope_x**2) * _VARIANCE
    return torch.minimum(capacity, variance / (low * (1 - high)).clamp_min(1e-30))


def _largest(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Find the largest value that each cell sees of (C, h, w), by the positions (R, n) and (K, m): (C, R, K)."""
    return values[:, rows].amax(dim=2)[:, :, columns].amax(dim=3)


def _without_last(index: Tensor) -> Tensor:
    """Drop the last of the positions that a cell sees; of steps to the next position there is one less."""
    return index[:, : max(index.shape[1] - 1, 1)]


def _capacity(b: Tensor, reach: Tensor) -> Tensor:
    """Bound the capacity, in nats, of the channel whose inputs give 1 with probability b - reach and b."""
    b = b.clamp(1e-30, 1)
    z_channel = torch.log1p(b * (1 - b) ** ((1 - b) / b))
    return (reach / b).clamp_max(1) * z_channel
