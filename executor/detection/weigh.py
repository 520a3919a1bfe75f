"""Choose how much each class counts in the scores of a mining."""

from __future__ import annotations

import logging
from typing import Optional, Sequence, Tuple

import numpy as np

from executor.contract.errors import ParameterError
from executor.contract.params import MiningParams
from executor.contract.shown import clipped
from mining.class_weights import difficulty_weights

logger = logging.getLogger(__name__)


def weigh_classes(params: MiningParams, class_ap: Optional[Sequence[float]]) -> Tuple[float, ...]:
    """Multiply the weights that the user gives and those of difficulty, one a class; none where neither is asked for.

    Args:
        params: the task's.
        class_ap: of the model's classes, whose place is the class id; None where the model records none.

    Raises:
        ParameterError: it records none, and difficulty is asked for.
    """
    given, by_difficulty = params.class_distribution_scores, params.class_weights == 'difficulty'
    if not given and not by_difficulty:
        return ()
    weights = np.ones(len(params.class_names))
    weights[: len(given)] = given
    if by_difficulty:
        if class_ap is None:
            raise ParameterError(
                'class_weights',
                'class_weights difficulty needs the AP of each class, which this model does not record, since it was '
                'trained elsewhere, by a version before, or without a validation: leave it at none and set '
                'class_distribution_scores, or train the model again',
            )
        weights *= difficulty_weights(np.array(class_ap))
    told = ', '.join(f'{name} {weight:.3g}' for name, weight in zip(params.class_names, weights))
    logger.info('classes count by their weights: %s', clipped(told))
    return tuple(weights.tolist())
