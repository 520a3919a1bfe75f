"""Group pictures that show nearly the same, such as neighbouring frames of a video."""

from __future__ import annotations

from typing import List, Sequence

import numpy as np
from numpy.typing import NDArray

from mining.diversity import near


def alike(looks: Sequence[NDArray[np.int8]]) -> List[List[int]]:
    """Group the numbers of those that look alike, also by way of others; what looks like no other is left out."""
    if not looks:
        return []
    group = np.arange(len(looks))
    for one, other in np.argwhere(near(np.stack(looks))):
        group[group == group[other]] = group[one]
    numbers = [np.flatnonzero(group == name).tolist() for name in dict.fromkeys(group.tolist())]
    return sorted(together for together in numbers if len(together) > 1)
