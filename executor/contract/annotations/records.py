"""Define what annotation readers return: images with their true boxes, and a count of what was left out."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from pathlib import Path
from typing import Counter, Dict, NamedTuple, Sequence, Tuple

from executor.contract.errors import DatasetError

MOST_BYTES = 2**26  # of the annotations of one image


class TrueBox(NamedTuple):
    """A true box in pixels of the image, x2 and y2 exclusive: width is x2 - x1. `label` counts class_names from 0.

    `ignore` marks a crowd or difficult object: it is neither to be found nor a mistake when found.
    """

    label: int
    x1: float
    y1: float
    x2: float
    y2: float
    ignore: bool = False


@dataclass(frozen=True)
class Record:
    """One line of a training index: an image and its boxes, none for an image without objects."""

    image: Path
    boxes: Tuple[TrueBox, ...]


@dataclass
class Tally:
    """What a reader met: the boxes by class, and those that it left out by reason, with the place of the first."""

    classes: Counter[str] = field(default_factory=collections.Counter)
    left_out: Counter[str] = field(default_factory=collections.Counter)
    first: Dict[str, str] = field(default_factory=dict)

    def meet(self, class_name: str) -> None:
        """Count a box, whatever becomes of it."""
        self.classes[class_name] += 1

    def leave_out(self, reason: str, *place: object) -> None:
        """Count a box that is left out; the parts of its place are made into text for the first of a reason alone."""
        self.left_out[reason] += 1
        if reason not in self.first:
            self.first[reason] = ': '.join(map(str, place))

    def add(self, later: Tally) -> None:
        """Add what was met later."""
        self.classes.update(later.classes)
        self.left_out.update(later.left_out)
        self.first = {**later.first, **self.first}

    def lines(self) -> Tuple[str, ...]:
        """Write one sentence a reason, for the log."""
        return tuple(f'{count} boxes skipped: {why}, first {self.first[why]}' for why, count in self.left_out.items())


def malformed(place: object, expected: str, found: str = '') -> DatasetError:
    """Make the error for a part of an annotation file that does not follow its format."""
    found = f', found {found}' if found else ''
    return DatasetError(
        f'{place}: expected {expected}{found}: export the dataset again, or set export_format to what its files are'
    )


def inclusive_box(label: int, corners: Sequence[float], ignore: bool = False) -> TrueBox:
    """Make a box of the platform's corners, which are inclusive: it writes xmax = x + w - 1 (ark and voc alike)."""
    xmin, ymin, xmax, ymax = corners
    return TrueBox(label, xmin, ymin, xmax + 1, ymax + 1, ignore)


def fits(coordinate: float) -> bool:
    """Tell whether a number can be one of a box: finite, and of a size with which one can still calculate."""
    return abs(coordinate) < 1e9
