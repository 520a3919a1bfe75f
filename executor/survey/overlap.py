"""Find true boxes that nearly cover each other: detectors merge what overlaps as much, so one of the two is lost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from executor.survey.images import Images

OVERLAP = 0.6  # IoU above which a pair is counted


class Overlaps(NamedTuple):
    """Pairs of boxes in one image whose IoU is above 0.6."""

    same_class: int
    other_class: int
    boxes: int  # in such a pair
    images: int  # with such a pair


def overlaps(images: Images) -> Overlaps:
    """Count the pairs, in time and memory that grow with the boxes and those beside them."""
    order = np.lexsort((images.box[:, 0], images.image))
    image, label = images.image[order], images.label[order]
    x1, y1, x2, y2 = images.box[order].T
    area = (x2 - x1) * (y2 - y1)
    # An IoU above 0.6 needs a share of more than 0.6 of the width that is common: of boxes sorted by their left side
    # only those that begin in the first 0.4 of another can be its partner.
    reach = x2 - OVERLAP * (x2 - x1)
    paired = np.zeros(len(order), bool)
    same = other = 0
    first: NDArray[np.int64] = np.arange(len(order))
    for step in range(1, len(order)):
        first = first[first + step < len(order)]
        second = first + step
        near = (image[first] == image[second]) & (x1[second] < reach[first])
        first, second = first[near], second[near]  # one that is out of reach stays so: later boxes begin further right
        if not len(first):
            break
        width = np.minimum(x2[first], x2[second]) - x1[second]
        height = np.minimum(y2[first], y2[second]) - np.maximum(y1[first], y1[second])
        common = width * np.maximum(0, height)
        much = common > OVERLAP * (area[first] + area[second] - common)
        paired[first[much]] = paired[second[much]] = True
        alike = int((label[first[much]] == label[second[much]]).sum())
        same, other = same + alike, other + int(much.sum()) - alike
    return Overlaps(same, other, int(paired.sum()), len(np.unique(image[paired])))
