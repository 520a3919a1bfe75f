"""Plan a simulation: its steps in their order, each with what it needs of those before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Optional, Sequence

from mining.catalog import ALGORITHMS, Needs

TRAINING, MINING = 'training', 'mining'
DIVERSITY = '+diversity'  # behind the name of an algorithm


@dataclass(frozen=True)
class Step:
    """One training or mining. Round 0 is the first training of a seed, which is that of all algorithms: it names none.

    The mining of a round chooses the images that its training has more than the one before.
    """

    kind: str
    seed: int
    algorithm: str
    round: int

    @property
    def name(self) -> str:
        """Name it as its folder."""
        return f'seed{self.seed}-{self.algorithm or "first"}-{self.round}-{self.kind}'

    @property
    def told(self) -> str:
        """Name it for people."""
        of = f'{self.algorithm}, round {self.round}' if self.algorithm else 'first images'
        return f'{self.kind}, seed {self.seed}, {of}'

    @property
    def model(self) -> Optional[Step]:
        """Return the training whose model it needs: a mining that of the round before, a training none.

        Each training starts from the weights that the task names. One that went on from the model before would have
        trained longer on the images that were labelled first, and its AP50 would be that of labels and time.
        """
        if self.kind == TRAINING or ALGORITHMS[self.scorer] == Needs():
            return None
        return Step(TRAINING, self.seed, self.algorithm if self.round > 1 else '', self.round - 1)

    @property
    def scorer(self) -> str:
        """Return the algorithm as mining knows it."""
        return self.algorithm[: -len(DIVERSITY)] if self.diverse else self.algorithm

    @property
    def diverse(self) -> bool:
        return self.algorithm.endswith(DIVERSITY)


def plan(algorithms: Sequence[str], rounds: int, seeds: int) -> List[Step]:
    """List the steps: seed by seed, all that needs the model of a training soon after it."""
    return [step for seed in range(1, seeds + 1) for step in _of_seed(seed, algorithms, rounds)]


def _of_seed(seed: int, algorithms: Sequence[str], rounds: int) -> Iterator[Step]:
    yield Step(TRAINING, seed, '', 0)
    for algorithm in algorithms:
        yield Step(MINING, seed, algorithm, 1)
    for algorithm in algorithms:
        for number in range(1, rounds + 1):
            yield Step(TRAINING, seed, algorithm, number)
            if number < rounds:
                yield Step(MINING, seed, algorithm, number + 1)


def is_algorithm(name: str) -> bool:
    """Tell whether a name is one of an algorithm, with or without diversity."""
    return Step(MINING, 1, name, 1).scorer in ALGORITHMS
