"""Order images so that each next one is high in score and unlike those before."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.7  # cosine of looks; one pair in a thousand of other scenes has more than 0.52 (blood cells) to 0.64 (COCO)
_UNLIKE = 0.5  # at and below it, nothing is gained by looking less alike
_FAINT = 1e-3  # images, which the lowest scores count as, so that among them, too, what is unlike comes first

_LEAST, _SHARE, _MOST = 1000, 0.1, 10_000
_BLOCK = 256  # looks that are compared at once


def part_size(count: int) -> int:
    """Tell how many of the best-scored of a pool are put into another order."""
    return min(count, max(_LEAST, min(int(count * _SHARE), _MOST)))


def varied_order(scores: NDArray[np.float64], looks: NDArray[np.int8]) -> List[int]:
    """Order N images, given by falling score, with looks (N, K): their numbers.

    Each next image is the one of the greatest q · min(1, (1 - s) / (1 - 0.5)), of equal ones the first: q is the share
    of the images that score lower, s the greatest cosine of its look and of those before. Images of the lowest score,
    such as those in which nothing is found, come behind all others but equal pictures. It is farthest-first traversal
    (Gonzalez, 1985), by which core-sets of active learning are found (Sener and Savarese, ICLR 2018; the second stage
    of PPAL, Yang et al., CVPR 2024, is akin), weighed by the score and with a bound on what distance is worth: without
    it the most unlike images come first, and these are rarely those that a model gets wrong.
    """
    count = len(scores)
    lower = count - np.searchsorted(-scores, -scores, side='right')
    weights = np.maximum(lower, _FAINT) / count
    vectors, squares = _vectors(looks)
    nearest = np.full(count, -1.0)  # cosine with what was chosen
    left = np.ones(count, bool)
    order: List[int] = []
    for _ in range(count):
        values = np.where(left, weights * np.minimum(1, (1 - nearest) / (1 - _UNLIKE)), -1)
        chosen = int(values.argmax())
        order.append(chosen)
        left[chosen] = False
        np.maximum(nearest, (vectors @ vectors[chosen]) / np.sqrt(squares * squares[chosen]), out=nearest)
    return order


def near(looks: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Tell of each two of N looks (N, K) whether they are alike, (N, N)."""
    everyone = np.arange(len(looks))
    return _alike(*_vectors(looks), everyone, everyone)


def count_alike(looks: NDArray[np.int8]) -> int:
    """Count those of N looks (N, K) that are like another of them."""
    return int((near(looks).sum(axis=1) > 1).sum())


def scenes(looks: NDArray[np.int8]) -> NDArray[np.int64]:
    """Number the scenes that N looks (N, K) show, (N,): a look is of the first scene whose first look it is like."""
    vectors, squares = _vectors(looks)
    numbers, firsts = np.zeros(len(looks), np.int64), np.zeros(0, np.int64)

    for start in range(0, len(looks), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(looks)))
        known, among = (_alike(vectors, squares, some, block) for some in (firsts, block))
        new: List[int] = []  # places in the block
        for place in range(len(block)):
            scene = np.concatenate([known[:, place], among[new, place]])
            numbers[block[place]] = scene.argmax() if scene.any() else len(scene)
            if not scene.any():
                new.append(place)
        firsts = np.concatenate([firsts, block[new]])
    return numbers


def _alike(
    vectors: NDArray[np.float32], squares: NDArray[np.float64], some: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell of some looks and others, by their numbers, whether they are alike, (some, others)."""
    return (vectors[some] @ vectors[others].T) / np.sqrt(squares[some, None] * squares[others]) >= ALIKE


def _vectors(looks: NDArray[np.int8]) -> Tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Give looks and the squares of their lengths, as numbers whose products are added without rounding."""
    vectors = looks.astype(np.float32)
    return vectors, (vectors * vectors).sum(axis=1).astype(np.float64)
