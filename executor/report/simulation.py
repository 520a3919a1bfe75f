"""Put together what active learning brought on a labelled dataset, by algorithm: the content of its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from executor.report.page import Numbers, rounded

BASELINE = 'random'


class Point(NamedTuple):
    """What is known after a training."""

    labelled: int  # images
    ap_50: float
    boxes: int  # in them
    rare: int  # of rare classes
    scenes: int  # that they show


Run = Sequence[Point]  # of one seed, by round from the first training on


class Measure(NamedTuple):
    """One number of a point, as it is told."""

    key: str
    words: str
    decimals: int


MEASURES = (
    Measure('ap_50', 'AP50', 3),
    Measure('boxes', 'boxes found', 0),
    Measure('rare', 'boxes of rare classes found', 0),
    Measure('scenes', 'scenes covered', 0),
)


class Spread(NamedTuple):
    """The mean over seeds, with the lowest and the highest of them."""

    mean: float
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class Simulation:
    """What the trainings found so far; the first point of a seed is the same for all algorithms."""

    title: str
    runs: Mapping[str, Sequence[Run]]  # by algorithm
    rounds: int
    pool: Point  # all images labelled; its AP50 is not known
    rare_classes: Sequence[str]
    validation_images: int
    settings: Mapping[str, object]

    @property
    def seeds(self) -> int:
        return max(map(len, self.runs.values()))

    @property
    def trainings(self) -> int:
        """Count the trainings of a whole simulation."""
        return self.seeds * (1 + len(self.runs) * self.rounds)

    @property
    def trained(self) -> int:
        """Count those that are done."""
        firsts = {seed for runs in self.runs.values() for seed, run in enumerate(runs) if run}
        return len(firsts) + sum(max(0, len(run) - 1) for runs in self.runs.values() for run in runs)

    def spreads(self, algorithm: str, measure: Measure) -> List[Spread]:
        """Give a measure of an algorithm by round, as far as any seed has come."""
        by_round = [[getattr(run[n], measure.key) for run in self.runs[algorithm] if n < len(run)] for n in self._range]
        return [_spread(values) for values in by_round if values]

    def labelled(self, algorithm: str) -> List[int]:
        """Count the labelled images, by round."""
        longest: Run = max(self.runs[algorithm], key=len, default=())
        return [point.labelled for point in longest]

    def average(self, algorithm: str) -> Optional[Spread]:
        """Give AP50 on average over the rounds behind the first training; None where one is missing."""
        runs = self.runs[algorithm]
        if any(len(run) <= self.rounds for run in runs):
            return None
        return _spread([sum(point.ap_50 for point in run[1:]) / self.rounds for run in runs])

    @property
    def _range(self) -> range:
        return range(self.rounds + 1)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(sum(values) / len(values), min(values), max(values))


def ranking(simulation: Simulation) -> List[str]:
    """Order the algorithms that are through by their average AP50, the highest first."""
    averages = {name: simulation.average(name) for name in simulation.runs}
    known = {name: average.mean for name, average in averages.items() if average is not None}
    return sorted(known, key=lambda name: -known[name])


def verdict(simulation: Simulation) -> str:
    """Say in one sentence which algorithm was ahead, by how much, and whether that is more than the spread."""
    if simulation.trained < simulation.trainings:
        return f'{simulation.trained} of {simulation.trainings} trainings are done: which is ahead is told at the end.'
    best, *others = ranking(simulation)
    if not others:
        return f'{best} alone was tried: there is nothing to compare it with.'
    told = _ahead(simulation, best, others[0])
    if BASELINE in others[1:]:
        told += f'; {_ahead(simulation, best, BASELINE)}'
    return f'{told}.'


def _ahead(simulation: Simulation, best: str, other: str) -> str:
    first, second = simulation.average(best), simulation.average(other)
    assert first is not None and second is not None, 'all trainings are done'
    ahead, spread = first.mean - second.mean, max(first.width, second.width)
    by = f'{best} was ahead of {other} by {ahead:.3f} AP50 on average over the rounds ({first.mean:.3f}'
    by += f' and {second.mean:.3f})'
    if simulation.seeds == 1:
        return f'{by}, which with one seed may be chance: say --seeds 2 or more to see'
    seeds = f'the spread over {simulation.seeds} seeds ({spread:.3f})'
    if ahead > spread:
        # Averages drawn from one normal distribution differ by more in 22 % of pairs, with three seeds in 5 %.
        chance = '; chance alone brings that in one of five: say --seeds 3 to see more' if simulation.seeds == 2 else ''
        return f'{by}, which is more than {seeds}{chance}'
    return f'no difference to be seen: {by}, which is within {seeds}'


def simulation_numbers(simulation: Simulation) -> Numbers:
    """Write every number as plain values; None is not known."""
    return {
        'title': simulation.title,
        'verdict': verdict(simulation),
        'trainings': {'done': simulation.trained, 'of': simulation.trainings},
        'rounds': simulation.rounds,
        'seeds': simulation.seeds,
        'pool': {key: value for key, value in simulation.pool._asdict().items() if key != 'ap_50'},
        'validation_images': simulation.validation_images,
        'rare_classes': list(simulation.rare_classes),
        'settings': {key: value if value is None else str(value) for key, value in simulation.settings.items()},
        'algorithms': {
            name: {
                'average_ap_50': _plain(simulation.average(name)),
                'labelled': simulation.labelled(name),
                **{
                    measure.key: [_plain(spread) for spread in simulation.spreads(name, measure)]
                    for measure in MEASURES
                },
                'seeds': [[rounded(point._asdict()) for point in run] for run in runs],
            }
            for name, runs in simulation.runs.items()
        },
    }


def _plain(spread: Optional[Spread]) -> Optional[Numbers]:
    return None if spread is None else rounded(spread._asdict())


def table(simulation: Simulation, measure: Measure) -> List[List[str]]:
    """Write a measure as rows of text: a column an algorithm, a row a number of labelled images."""
    names = list(simulation.runs)
    cells: Dict[str, List[str]] = {
        name: [_cell(spread, measure.decimals) for spread in simulation.spreads(name, measure)] for name in names
    }
    counts = max((simulation.labelled(name) for name in names), key=len)
    rows = [
        [str(count), *(cells[name][number] if number < len(cells[name]) else '' for name in names)]
        for number, count in enumerate(counts)
    ]
    return [['labelled images', *names], *rows]


def summary_table(simulation: Simulation) -> List[List[str]]:
    """Write the average AP50 of each algorithm, the highest first, and what it is more than the baseline."""
    names = ranking(simulation)
    averages = {name: simulation.average(name) for name in names}
    baseline = averages.get(BASELINE)
    rows = [['algorithm', 'AP50 on average', *([f'more than {BASELINE}'] if baseline else [])]]
    for name in names:
        own = averages[name]
        assert own is not None, 'it is ranked'
        more = [] if baseline is None else ['' if name == BASELINE else f'{own.mean - baseline.mean:+.3f}']
        rows.append([name, _cell(own, 3), *more])
    return rows


def _cell(spread: Spread, decimals: int) -> str:
    number: Callable[[float], str] = f'{{:.{decimals}f}}'.format
    if spread.width == 0:
        return number(spread.mean)
    return f'{number(spread.mean)} ({number(spread.low)} to {number(spread.high)})'
