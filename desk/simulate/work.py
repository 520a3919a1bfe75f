"""Do the steps of a simulation that are left, and keep what later ones need of them."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from functools import partial
from typing import Callable, List, Sequence

from desk.progress import Bar
from desk.simulate.cost import Costs
from desk.simulate.plan import TRAINING, Step
from desk.simulate.record import Record
from desk.simulate.steps import Steps, labelled_before
from executor.report.simulation import Point


@dataclass
class Work:
    """The steps of a simulation, and what those that are finished have found."""

    runner: Steps
    record: Record
    steps: Sequence[Step]

    def left(self) -> List[Step]:
        """List what is to be done; a training again whose model is needed and gone."""
        found = self.record.found
        left = [step for step in self.steps if step.name not in found]
        needed = {step.model for step in left if step.model is not None}
        again = [step for step in needed if step.name in found and not self.runner.has_model(step)]
        return [step for step in self.steps if step in left or step in again]

    def first(self, seed: int) -> List[int]:
        return self.runner.pool.first(self.runner.count, seed)

    def labelled(self, step: Step) -> List[int]:
        """List the images that are labelled when a step begins."""
        return labelled_before(step, self.first(step.seed), self.record.found)

    def run(self, algorithm: str, seed: int) -> List[Point]:
        """Return what the trainings of an algorithm found with a seed, as far as they are done."""
        trainings = [s for s in self.steps if s.kind == TRAINING and s.seed == seed and s.algorithm in ('', algorithm)]
        done = itertools.takewhile(lambda step: step.name in self.record.found, trainings)
        return [self.runner.pool.found(self.labelled(step), self.record.found[step.name]['ap_50']) for step in done]

    def do(self, costs: Costs, bar: Bar, show: Callable[[], object]) -> None:
        """Run what is left, step by step; `show` is called after each training.

        Raises:
            StepFailed: a step failed, or was stopped.
        """
        left = self.left()
        self._tidy(left)
        total, done = sum(map(costs.of, left)), 0.0
        with bar.told('simulation'):
            for number, step in enumerate(left, start=1):
                if step.name in self.record.found:
                    self.record.drop(step)
                told, share = f'{number} of {len(left)}: {step.told}', costs.of(step) / total
                started = time.monotonic()
                found = self.runner.run(step, self.labelled(step), partial(_update, bar, told, done, share))
                done += share
                self.record.add(step, {**found, 'seconds': round(time.monotonic() - started, 1)})
                self._tidy(left[number:])
                if step.kind == TRAINING:
                    show()

    def _tidy(self, left: Sequence[Step]) -> None:
        """Remove the folders of steps that no later one needs."""
        needed = {step.model for step in left}
        for step in self.steps:
            if step not in left and step not in needed:
                self.runner.remove(step)


def _update(bar: Bar, told: str, before: float, share: float, of_step: float, line: str) -> None:
    """Draw how far all is, where a step is a share of it."""
    bar.update(before + share * of_step, f'{told}  {line}')
