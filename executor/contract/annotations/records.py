"""Define what annotation readers return: images with their true boxes, and a count of what was left out."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from pathlib import Path
from typing import Counter, Dict, NamedTuple, Sequence, Tuple

from executor.contract.errors import DatasetError


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
class Skipped:
    """The boxes that a reader left out, counted by reason, with the place of the first of each."""

    counts: Counter[str] = field(default_factory=collections.Counter)
    first: Dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, place: str) -> None:
        """Count a box that is left out."""
        self.counts[reason] += 1
        self.first.setdefault(reason, place)

    def lines(self) -> Tuple[str, ...]:
        """Write one sentence a reason, for the log."""
        return tuple(f'{count} boxes skipped: {why}, first {self.first[why]}' for why, count in self.counts.items())


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
