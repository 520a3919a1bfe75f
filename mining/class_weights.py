"""Weigh classes by how hard they are for the model (Yang et al., CVPR 2024, "Plug and Play Active Learning").

PPAL multiplies the uncertainty of each box by the weight of its class c,

    w_c = 1 + α β ln(1 + γ d_c),  γ = exp(1 / α) - 1,

which rises from 1 at the difficulty d_c = 0 to 1 + β at d_c = 1, steeply at first. α = 0.3 and β = 0.2 are the authors'
(github.com/ChenhongyiYang/PPAL: difficulty_calibrated_uncertainty_sampler.py:37-51, al_configs/*/ppal_*.py).

Departure: there d_c is 1 - p^ξ IoU^(1-ξ) of the class's true boxes, averaged while a head made for it is trained. Here
it is 1 - AP of the class in the model's validation, at IoU 0.50 to 0.95, which depends on score and place as well. A
class without true boxes there has d_c = 1, as one that PPAL has not met.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
from numpy.typing import NDArray

_ALPHA = 0.3
_BETA = 0.2


def difficulty_weights(class_ap: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the weights of C classes, (C,), from their AP in 0..1."""
    gamma = np.expm1(1 / _ALPHA)
    return 1 + _ALPHA * _BETA * np.log1p(gamma * (1 - class_ap))


def weights_of(labels: NDArray[np.int64], class_weights: Sequence[float]) -> NDArray[np.float64]:
    """Look up the weight of each of N boxes, (N,), by its class; where no class has one, all are 1.0."""
    return np.array(class_weights)[labels] if len(class_weights) else np.ones(len(labels))
