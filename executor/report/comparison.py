"""Put the numbers of several models side by side, and beside them the images in which they differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from executor.evaluation.changes import Change, ShownErrors, changed_images
from executor.evaluation.coco import COCO_NAMES
from executor.evaluation.errors import KINDS
from executor.report.page import Numbers

# What is told of a model at its own best score: the words, and whether more of it is better.
_AT_BEST: Dict[str, Tuple[str, Optional[bool]]] = {
    'threshold': ('best conf_threshold', None),
    **{
        key: (f'{name} from it on', True)
        for key, name in (('precision', 'precision'), ('recall', 'recall'), ('f1', 'F1'))
    },
}
# Of a class, by heading; one that a model does not have has nothing.
_OF_CLASS: Dict[str, Callable[[Numbers], Optional[float]]] = {
    'AP50': lambda row: row.get('ap_50'),
    'AP': lambda row: row.get('ap'),
    'F1': lambda row: (row.get('at_best') or {}).get('f1'),
}


@dataclass(frozen=True)
class Seen:
    """The images of a validation, and what a model gets wrong in them."""

    errors: ShownErrors
    paths: Sequence[str]


@dataclass(frozen=True)
class Compared:
    """One model of a comparison."""

    name: str
    source: str  # where its numbers come from
    numbers: Numbers  # of its report.json
    seen: Optional[Seen] = None  # None where no more than the numbers is known
    notes: Sequence[str] = field(default_factory=tuple)  # whole sentences


@dataclass(frozen=True)
class ImageChanges:
    """The images that are better, and those that are worse, of one model beside the first."""

    better: Sequence[Change]
    worse: Sequence[Change]


@dataclass(frozen=True)
class Row:
    """One number of every model; None is undefined."""

    name: str
    values: Sequence[Optional[float]]
    more_is_better: Optional[bool] = True  # None where it is neither

    def change(self, number: int) -> Optional[float]:
        """Give how much more a model has than the first, by the four decimals of reports; None if either has none."""
        first, own = self.values[0], self.values[number]
        return None if first is None or own is None else round(own - first, 4)

    def is_better(self, number: int) -> Optional[bool]:
        """Say whether a model is better than the first; None where it is neither better nor worse."""
        change = self.change(number)
        return None if not change or self.more_is_better is None else (change > 0) == self.more_is_better


@dataclass(frozen=True)
class Table:
    """Rows of numbers under a heading."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Comparison:
    """Several models, all beside the first."""

    models: Sequence[Compared]
    tables: Sequence[Table]
    changes: Sequence[Optional[ImageChanges]]  # of each model but the first; None where images are not known

    @property
    def same(self) -> List[bool]:
        """Say of each model but the first whether it differs in no number and no image."""
        rows = [row for table in self.tables for row in table.rows]
        return [
            all(row.values[number] == row.values[0] for row in rows) and not (of and (of.better or of.worse))
            for number, of in enumerate(self.changes, start=1)
        ]


def compare_models(models: Sequence[Compared]) -> Comparison:
    """Compare models with the first of them."""
    return Comparison(models, _tables(models), [_changes(models[0], other) for other in models[1:]])


def _changes(first: Compared, other: Compared) -> Optional[ImageChanges]:
    if first.seen is None or other.seen is None:
        return None
    changes = changed_images(first.seen.errors, other.seen.errors, first.seen.paths, other.seen.paths)
    return ImageChanges([one for one in changes if one.more < 0], [one for one in changes if one.more > 0])


def _tables(models: Sequence[Compared]) -> Sequence[Table]:
    """Put the numbers of models side by side; a class goes by its name."""
    numbers = [model.numbers for model in models]
    classes = [{row['name']: row for row in of['classes']} for of in numbers]
    names = list(dict.fromkeys(name for of in classes for name in of))
    whole = [
        *(Row(name, [of['coco'][name] for of in numbers]) for name in COCO_NAMES),
        *(Row(name, [of['best'][key] for of in numbers], better) for key, (name, better) in _AT_BEST.items()),
        Row('AP50 with classes ignored', [of['localisation']['ap_50'] for of in numbers]),
        Row('calibration error of scores', [of['calibration']['ece'] for of in numbers], False),
    ]
    by_class = [
        Table(f'{title} by class', [Row(name, [value(of.get(name, {})) for of in classes]) for name in names])
        for title, value in _OF_CLASS.items()
    ]
    kinds = [Row(kind, [of['errors'][kind]['ap_50'] for of in numbers], False) for kind in KINDS]
    return [Table('All classes', whole), *by_class, Table('What each kind of error costs in AP50', kinds)]


def comparison_numbers(comparison: Comparison) -> Numbers:
    """Write a comparison as plain values; changes are those from the first model."""
    models = comparison.models
    return {
        'models': [
            {'name': one.name, 'source': one.source, 'images': one.numbers['images'], 'notes': list(one.notes)}
            for one in models
        ],
        'same_as_first': comparison.same,
        'tables': [
            {
                'title': table.title,
                'rows': [
                    {'name': row.name, 'values': row.values, 'changes': [row.change(n) for n in range(1, len(models))]}
                    for row in table.rows
                ],
            }
            for table in comparison.tables
        ],
        'images': [_image_numbers(models, number, of) for number, of in enumerate(comparison.changes, start=1)],
    }


def _image_numbers(models: Sequence[Compared], number: int, changes: Optional[ImageChanges]) -> Optional[Numbers]:
    """List the images that changed from the first model to another, with the errors of both."""
    seen = models[0].seen
    if changes is None or seen is None:
        return None
    return {
        'model': models[number].name,
        **{
            name: [{'image': seen.paths[one.first], 'errors': [one.errors_first, one.errors_second]} for one in of]
            for name, of in vars(changes).items()
        },
    }
