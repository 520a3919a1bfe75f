"""Put the best-scored part of a pool into an order in which each next image is unlike those before."""

from __future__ import annotations

import logging
from typing import Sequence

import numpy as np
from numpy.typing import NDArray

from executor.detection.best import Best
from executor.report.mining_report import COMPARED, Varied
from mining.diversity import count_alike, varied_order

logger = logging.getLogger(__name__)


def vary(ranks: Sequence[Best[NDArray[np.int8]]]) -> Varied:
    """Order the looks of the best-scored images of all ranks, and say what that changed."""
    part = Best.joined(ranks)
    if not part:
        return Varied([], [], 0, 0)
    by_score = [position for _, position, _ in part]
    looks = np.stack([look for _, _, look in part])
    order = varied_order(np.array([score for score, _, _ in part]), looks)
    varied = Varied(
        [by_score[number] for number in order],
        by_score,
        count_alike(looks[:COMPARED]),
        count_alike(looks[order[:COMPARED]]),
    )
    logger.info(
        'diversity: the %d images of the highest scores are put into another order; of the first %d, %d look like '
        'another by score alone, %d in this order',
        *(len(part), varied.compared, varied.alike_before, varied.alike_after),
    )
    return varied
