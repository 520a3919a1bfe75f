"""Estimate what the steps of a simulation cost beside each other, to tell how much of it is left."""

from __future__ import annotations

from dataclasses import dataclass

from desk.simulate.plan import TRAINING, Step
from executor.contract.params import TrainParams

# In the time that an image takes through the network.
_LEARNED = 3.0  # an image that is learned from: through it, and back
_START = 150.0  # libraries, and the page at the end
_SCORED = {'random': 0.0, 'cald': 5.0}  # an image of the pool; 1 by the others


@dataclass(frozen=True)
class Costs:
    """What is known of the steps: `count` images are labelled at a time, of `pool`; `validation` are looked at."""

    params: TrainParams
    count: int
    pool: int
    validation: int

    def of(self, step: Step) -> float:
        if step.kind == TRAINING:
            validations = self.params.max_epochs / max(1, self.params.val_interval)
            learned = self.params.max_epochs * self.count * (step.round + 1)
            return _START + _LEARNED * learned + validations * self.validation
        return _START + _SCORED.get(step.scorer, 1.0) * (self.pool - self.count * step.round)
