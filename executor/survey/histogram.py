"""Count values by the bins of a scale that is the same for every dataset, so that two of them compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Each bin holds values from its edge up to the next edge, the last bin all from its edge on.
SIZE_EDGES = (0.0, *(2.0 ** (np.arange(2, 21) / 2)).tolist())  # pixels: 0, 2, 2.8, 4 to 1024
ASPECT_EDGES = (0.0, *(2.0 ** (np.arange(-11, 12, 2) / 4)).tolist())  # width by height: around 1/8, 1/5.7, 1/4 to 8
NUMBER_EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 11, 16, 21, 31, 51, 101)  # boxes of an image

_QUANTILES = (5, 25, 50, 75, 95)  # percent


@dataclass(frozen=True)
class Distribution:
    """How values are distributed."""

    edges: Sequence[float]
    count: NDArray[np.int64]  # of each bin
    quantiles: Dict[str, float]  # by percent; none where there is no value

    @property
    def share(self) -> NDArray[np.float64]:
        """Give the share of the values in each bin."""
        return self.count / max(1, self.count.sum())


def distribution(values: ArrayLike, edges: Sequence[float]) -> Distribution:
    """Count values, none of which is below the first edge."""
    values = np.asarray(values, np.float64)
    count = np.bincount(np.searchsorted(edges, values, side='right') - 1, minlength=len(edges))
    found = np.percentile(values, _QUANTILES).tolist() if len(values) else []
    return Distribution(edges, count, dict(zip(map(str, _QUANTILES), found)))
