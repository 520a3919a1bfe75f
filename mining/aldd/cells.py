"""Compute the uncertainty at every pixel of chosen cells, without ever holding a map of the input's size.

Letters: N cells of one level, n positions of the head a cell can see along an axis, S = CELL + WINDOW - 1 pixels of a
cell with the margin its windows need. docs/aldd.md explains why products with weight matrices are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Levels = Sequence[Tensor]  # of one image, (C, h, w) probabilities each
HeightWidth = Tuple[int, int]  # (height, width) of the input in pixels

CELL = 32  # pixels of the input
WINDOW = 9
_MARGIN = WINDOW // 2


@dataclass(frozen=True)
class Axis:
    """One axis of one level of the head, cut into R cells; the last one may be smaller."""

    index: Tensor  # (R, n) int64, the head's positions that a cell sees
    resize: Tensor  # (R, S, n) weights that make the pixels of a cell and its margin; 0 outside the image
    smooth: Tensor  # (R, CELL, n) weights that make the means over the window; 0 where the cell reaches over the image
    share: Tensor  # (R, CELL) one over the number of a window's pixels inside the image, 0 likewise


def axis(pixels: int, positions: int, dtype: torch.dtype, device: torch.device) -> Axis:
    """Prepare the axis of `positions` in the head that covers `pixels` of the input."""
    # What one stream of a GPU still reads, another would write over as soon as it is dropped here.
    stream = torch.cuda.current_stream(device) if device.type == 'cuda' else None
    return _axis(pixels, positions, dtype, device, stream)


@lru_cache(maxsize=64)  # a detector has few input sizes and few levels; pure, so only time is kept
def _axis(
    pixels: int, positions: int, dtype: torch.dtype, device: torch.device, stream: Optional[torch.cuda.Stream]
) -> Axis:
    cells = -(-pixels // CELL)
    span = np.arange(CELL + 2 * _MARGIN)
    windows = (abs(span - _MARGIN - np.arange(CELL)[:, None]) <= _MARGIN).astype(float)  # (CELL, S)
    place = np.arange(cells)[:, None] * CELL + span  # (R, S), counted from the margin before the image
    around = (_MARGIN, cells * CELL + _MARGIN - pixels)
    inside = np.pad(np.ones(pixels), around)[place]  # (R, S)
    weights = np.pad(bilinear(pixels, positions), (around, (0, 0)))[place]  # (R, S, positions)
    seen = weights.max(axis=1) > 0  # (R, positions)
    first, end = seen.argmax(axis=1), positions - seen[:, ::-1].argmax(axis=1)
    n = (end - first).max()
    index = np.minimum(first, positions - n)[:, None] + np.arange(n)  # (R, n)
    resize = np.take_along_axis(weights, index[:, None], axis=2)  # (R, S, n)
    centre = inside[:, _MARGIN : _MARGIN + CELL]  # (R, CELL)
    share = np.divide(centre, inside @ windows.T, out=np.zeros_like(centre), where=centre > 0)
    smooth = share[:, :, None] * (windows @ resize)
    made = [torch.from_numpy(values).to(device, dtype) for values in (resize, smooth, share)]
    return Axis(torch.from_numpy(index).to(device), *made)


def bilinear(pixels: int, positions: int) -> NDArray[np.float64]:
    """Compute (pixels, positions) weights of bilinear resizing, torch's interpolate with align_corners=False."""
    place = np.maximum((np.arange(pixels) + 0.5) * positions / pixels - 0.5, 0)
    low = np.minimum(place.astype(int), positions - 1)
    high = np.minimum(low + 1, positions - 1)
    rest = place - low
    weights = np.zeros((pixels, positions))
    np.add.at(weights, (np.arange(pixels), low), 1 - rest)
    np.add.at(weights, (np.arange(pixels), high), rest)
    return weights


def cell_maxima(levels: Levels, wanted: Tensor, keep: Tensor, size: HeightWidth) -> Tensor:
    """Find the largest uncertainty in each wanted cell, (N,).

    `wanted` is (N, 3) int64, class, row and column of the cells; `keep` is (levels, N) bool, the levels that count in
    each: a level left out counts as 0.
    """
    device = levels[0].device
    # Few enough at once for what they need to stay in a core's cache; on a GPU enough to keep it busy.
    chunk = 64 if device.type == 'cpu' else 4096
    rows = [axis(size[0], level.shape[1], level.dtype, device) for level in levels]
    columns = [axis(size[1], level.shape[2], level.dtype, device) for level in levels]
    found = []
    for start in range(0, len(wanted), chunk):
        part, part_keep = wanted[start : start + chunk], keep[:, start : start + chunk]
        total = levels[0].new_zeros(len(part), CELL, CELL)
        for level, row, column, kept in zip(levels, rows, columns, part_keep):
            chosen = kept.nonzero()[:, 0]
            total.index_add_(0, chosen, _uncertainty(level, row, column, part[chosen]))
        found.append(total.flatten(1).amax(dim=1))
    return torch.cat([levels[0].new_zeros(0), *found])


def _uncertainty(level: Tensor, rows: Axis, columns: Axis, wanted: Tensor) -> Tensor:
    """Compute H(mean p) - mean H(p) at the pixels of N cells of one level, (N, CELL, CELL); 0 outside the image."""
    c, r, k = wanted.unbind(1)
    patch = level[c[:, None, None], rows.index[r][:, :, None], columns.index[k][:, None, :]]  # (N, n, n)
    p = torch.bmm(torch.bmm(rows.resize[r], patch), columns.resize[k].transpose(1, 2))  # (N, S, S)
    mean = torch.bmm(torch.bmm(rows.smooth[r], patch), columns.smooth[k].transpose(1, 2))  # (N, CELL, CELL)
    sums = _window_sums(negative_entropy(p))
    return sums.mul_(rows.share[r][:, :, None]).mul_(columns.share[k][:, None, :]).sub_(negative_entropy(mean))


def negative_entropy(p: Tensor) -> Tensor:
    """Compute p ln p + (1 - p) ln(1 - p), in nats."""
    p = p.clamp(1e-30, 1 - 2**-24)
    tail = p.neg().log1p_()  # in float32 the 1 - p of a small p has lost what counts
    return torch.addcmul(tail, p, p.log().sub_(tail))


def _window_sums(values: Tensor) -> Tensor:
    """Add up (N, S, S) over each WINDOW x WINDOW, (N, CELL, CELL): 2, 4, 8 and 9 numbers along each axis in turn."""
    for dim in (1, 2):
        sums = values
        for step in (1, 2, 4):
            length = sums.shape[dim] - step
            sums = sums.narrow(dim, 0, length) + sums.narrow(dim, step, length)
        values = sums.narrow(dim, 0, CELL) + values.narrow(dim, WINDOW - 1, CELL)
    return values
