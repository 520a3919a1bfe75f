"""Compute the uncertainty at every pixel of chosen cells, without ever holding a map of the input's size.

Letters: N cells of one level, n positions of the head a cell can see along an axis, S = CELL + WINDOW - 1 pixels of a
cell with the margin its windows need. Resizing is a product with a weight matrix on either side, and so is resizing
followed by the mean over the window, which therefore costs next to nothing; only the entropies are needed at every
pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray

CELL = 32  # pixels of the input
WINDOW = 9
_MARGIN = WINDOW // 2
_SPAN = CELL + WINDOW - 1

# Cells at once: few enough for what they need to stay in a core's cache, on a GPU enough to keep it busy.
_CHUNK = {'cpu': 64}
_CHUNK_ELSEWHERE = 4096


@dataclass(frozen=True)
class Axis:
    """One axis of one level of the head, cut into R cells; the last one may be smaller.

    Attributes:
        index: (R, n) int64, the head's positions that a cell sees.
        resize: (R, S, n), weights that make the pixels of a cell and its margin; 0 outside the image.
        smooth: (R, CELL, n), weights that make the means over the window; 0 where the cell reaches over the image.
        share: (R, CELL), one over the number of a window's pixels inside the image, 0 likewise.
    """

    index: torch.Tensor
    resize: torch.Tensor
    smooth: torch.Tensor
    share: torch.Tensor


@lru_cache(maxsize=64)  # a detector has few input sizes and few levels; pure, so only time is kept
def axis(pixels: int, positions: int, dtype: torch.dtype, device: torch.device) -> Axis:
    """Prepare the axis of `positions` in the head that covers `pixels` of the input."""
    cells = -(-pixels // CELL)
    span = np.arange(-_MARGIN, CELL + _MARGIN)
    windows = np.stack([(abs(span - centre) <= _MARGIN).astype(float) for centre in range(CELL)])  # (CELL, S)
    index, resize, smooth, share = [], [], [], []
    matrix = np.zeros((cells * CELL + 2 * _MARGIN, positions))  # with the margins around the image
    matrix[_MARGIN : _MARGIN + pixels] = bilinear(pixels, positions)
    inside = np.zeros(len(matrix))
    inside[_MARGIN : _MARGIN + pixels] = 1
    seen = [np.flatnonzero(matrix[r * CELL : r * CELL + _SPAN].any(axis=0)) for r in range(cells)]
    n = max(positions_seen[-1] - positions_seen[0] + 1 for positions_seen in seen)
    for r in range(cells):
        part = slice(r * CELL, r * CELL + _SPAN)
        first = min(seen[r][0], positions - n)
        weights = matrix[part, first : first + n]  # (S, n)
        count = windows @ inside[part]
        centre_inside = inside[part][_MARGIN : _MARGIN + CELL]
        shares = np.divide(centre_inside, count, out=np.zeros(CELL), where=centre_inside > 0)
        index.append(np.arange(first, first + n))
        resize.append(weights)
        smooth.append(shares[:, None] * (windows @ weights))
        share.append(shares)
    made = [torch.from_numpy(np.stack(values)).to(device, dtype) for values in (resize, smooth, share)]
    return Axis(torch.from_numpy(np.stack(index)).to(device), *made)


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


def cell_maxima(
    levels: Sequence[torch.Tensor], wanted: torch.Tensor, keep: torch.Tensor, size: Tuple[int, int]
) -> torch.Tensor:
    """Find the largest uncertainty in each wanted cell, (N,).

    Args:
        levels: (C, h, w) probabilities of each level of one image.
        wanted: (N, 3) int64, class, row and column of the cells.
        keep: (levels, N) bool, the levels that count in each; a level left out counts as 0.
        size: (height, width) of the input.
    """
    device = levels[0].device
    chunk = _CHUNK.get(device.type, _CHUNK_ELSEWHERE)
    rows = [axis(size[0], level.shape[1], level.dtype, device) for level in levels]
    columns = [axis(size[1], level.shape[2], level.dtype, device) for level in levels]
    found = []
    for start in range(0, len(wanted), chunk):
        part, part_keep = wanted[start : start + chunk], keep[:, start : start + chunk]
        total = levels[0].new_zeros(len(part), CELL, CELL)
        for level, row, column, kept in zip(levels, rows, columns, part_keep):
            chosen = kept.nonzero()[:, 0]
            if len(chosen) == len(part):
                total += _uncertainty(level, row, column, part)
            elif len(chosen):
                total.index_add_(0, chosen, _uncertainty(level, row, column, part[chosen]))
        found.append(total.flatten(1).amax(dim=1))
    return torch.cat(found) if found else levels[0].new_zeros(0)


def _uncertainty(level: torch.Tensor, rows: Axis, columns: Axis, wanted: torch.Tensor) -> torch.Tensor:
    """Compute H(mean p) - mean H(p) at the pixels of N cells of one level, (N, CELL, CELL); 0 outside the image."""
    c, r, k = wanted.unbind(1)
    patch = level[c[:, None, None], rows.index[r][:, :, None], columns.index[k][:, None, :]]  # (N, n, n)
    p = torch.bmm(torch.bmm(rows.resize[r], patch), columns.resize[k].transpose(1, 2))  # (N, S, S)
    mean = torch.bmm(torch.bmm(rows.smooth[r], patch), columns.smooth[k].transpose(1, 2))  # (N, CELL, CELL)
    sums = _window_sums(negative_entropy(p))
    return sums.mul_(rows.share[r][:, :, None]).mul_(columns.share[k][:, None, :]).sub_(negative_entropy(mean))


def negative_entropy(p: torch.Tensor) -> torch.Tensor:
    """Compute p ln p + (1 - p) ln(1 - p), in nats."""
    p = p.clamp(1e-30, 1 - 2**-24)
    tail = p.neg().log1p_()  # in float32 the 1 - p of a small p has lost what counts
    return torch.addcmul(tail, p, p.log().sub_(tail))


def _window_sums(values: torch.Tensor) -> torch.Tensor:
    """Add up (N, S, S) over each WINDOW x WINDOW, (N, CELL, CELL): 2, 4, 8 and 9 numbers along each axis in turn."""
    for dim in (1, 2):
        sums = values
        for step in (1, 2, 4):
            length = sums.shape[dim] - step
            sums = sums.narrow(dim, 0, length) + sums.narrow(dim, step, length)
        values = sums.narrow(dim, 0, CELL) + values.narrow(dim, WINDOW - 1, CELL)
    return values
