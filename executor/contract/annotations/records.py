"""What an annotation reader returns: images with their boxes, and what was left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

from executor.contract.errors import DatasetError


class Box(NamedTuple):
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
    boxes: Tuple[Box, ...]


@dataclass
class Skipped:
    """What a reader left out, counted by reason, with the place of the first of each."""

    counts: Counter = field(default_factory=Counter)
    first: Dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, place: str) -> None:
        self.counts[reason] += 1
        self.first.setdefault(reason, place)

    def lines(self) -> Tuple[str, ...]:
        """One sentence a reason, for the log."""
        return tuple(f'{count} boxes skipped: {why}, first {self.first[why]}' for why, count in self.counts.items())


def malformed(place: object, expected: str, found: str = '') -> DatasetError:
    """The error for a part of an annotation file that its format does not have."""
    found = f', found {found}' if found else ''
    return DatasetError(
        f'{place}: expected {expected}{found}: export the dataset again, or set export_format to what its files are'
    )


def inclusive_box(label: int, xmin: float, ymin: float, xmax: float, ymax: float, ignore: bool = False) -> Box:
    """A box from the platform's corners, which are inclusive: it writes xmax = x + w - 1 (ark and voc alike)."""
    return Box(label, xmin, ymin, xmax + 1, ymax + 1, ignore)
