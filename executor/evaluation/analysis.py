"""Analyse one validation: what is too much for each, and is done once for the best model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.evaluation.boxes import Matches
from executor.evaluation.calibration import Calibration, calibrate
from executor.evaluation.confusion import confusion_matrix
from executor.evaluation.errors import Cost, Errors, error_costs, find_errors
from executor.evaluation.localisation import Localisation, localisation
from executor.evaluation.worst import WorstImage, worst_images

_WORST = 24


@dataclass(frozen=True)
class Analysis:
    """What was found. All but `costs` and `localisation` are of, or look at, the boxes scored `threshold` and above."""

    threshold: float
    matches: Matches
    errors: Errors
    costs: Dict[str, Cost]
    confusion: NDArray[np.int64]  # (K + 1, K + 1) true class by class it is taken for; the last of each is background
    calibration: Calibration
    localisation: Localisation
    worst: Sequence[WorstImage]


def analyse(matches: Matches, threshold: float) -> Analysis:
    """Analyse the matches of a validation; `threshold` is the model's best."""
    errors = find_errors(matches)
    return Analysis(
        threshold=threshold,
        matches=matches,
        errors=errors,
        costs=error_costs(matches, errors),
        confusion=confusion_matrix(matches, threshold),
        calibration=calibrate(matches, threshold),
        localisation=localisation(matches),
        worst=worst_images(matches, errors, threshold, _WORST),
    )
