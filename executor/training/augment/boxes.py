"""Move true boxes as mmdet's transforms do, on plain arrays."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from executor.images.prepare import Size


class Boxes(NamedTuple):
    """The true boxes of an image or of a picture made of several."""

    bboxes: np.ndarray  # (N, 4) float32, x1 y1 x2 y2 in pixels
    labels: np.ndarray  # (N,) int64
    ignored: np.ndarray  # (N,) bool

    def kept(self, keep: np.ndarray) -> Boxes:
        """Keep the boxes where `keep`, (N,) bool, says so."""
        return Boxes(self.bboxes[keep], self.labels[keep], self.ignored[keep])

    def moved(self, x: float, y: float) -> Boxes:
        """Move to the right and down."""
        return self._replace(bboxes=self.bboxes + np.array([x, y, x, y], np.float32))

    def scaled(self, x: float, y: float) -> Boxes:
        """Multiply the coordinates."""
        return self._replace(bboxes=self.bboxes * np.array([x, y, x, y], np.float32))

    def clipped(self, size: Size) -> Boxes:
        """Cut what reaches beyond a picture of that size."""
        return self._replace(bboxes=np.clip(self.bboxes, 0, np.array([*size, *size], np.float32)))

    def inside(self, size: Size) -> Boxes:
        """Keep those of which a part lies in a picture of that size."""
        x1, y1, x2, y2 = self.bboxes.T
        return self.kept((x1 < size[0]) & (y1 < size[1]) & (x2 > 0) & (y2 > 0))

    def flipped(self, size: Size, horizontally: bool, vertically: bool) -> Boxes:
        """Mirror in a picture of that size."""
        bboxes = self.bboxes.copy()
        if horizontally:
            bboxes[:, [0, 2]] = size[0] - self.bboxes[:, [2, 0]]
        if vertically:
            bboxes[:, [1, 3]] = size[1] - self.bboxes[:, [3, 1]]
        return self._replace(bboxes=bboxes)

    def projected(self, matrix: np.ndarray) -> Boxes:
        """Take the upright box around what each becomes under an affine (3, 3) matrix."""
        x, y = self.bboxes[:, [0, 2, 2, 0]], self.bboxes[:, [1, 1, 3, 3]]
        (a, b, c), (d, e, f), _ = np.asarray(matrix, np.float32)
        x, y = a * x + b * y + c, d * x + e * y + f
        return self._replace(bboxes=np.stack([x.min(1), y.min(1), x.max(1), y.max(1)], axis=1))


def joined(parts: Sequence[Boxes]) -> Boxes:
    """Put the boxes of several images one behind the other."""
    return Boxes(*(np.concatenate(arrays) for arrays in zip(*parts)))
