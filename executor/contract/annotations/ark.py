"""Read `ark` and `det-ark`: one text file an image, `class_id, xmin, ymin, xmax, ymax[, quality, angle]` a line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Sequence, Tuple

from executor.contract.annotations.records import MOST_BYTES, Tally, TrueBox, fits, inclusive_box, malformed
from executor.contract.errors import DatasetError
from executor.contract.regular_file import read_regular
from executor.contract.shown import clipped, shown

_WANTED = 'class_id, xmin, ymin, xmax, ymax[, quality, angle]'


def read_ark(path: Path, class_names: Sequence[str], tally: Tally) -> Tuple[TrueBox, ...]:
    """Read the boxes of one file; an empty file is an image without objects.

    Raises:
        DatasetError: a line is malformed or its class id is outside `class_names`.
    """
    try:
        lines = read_regular(path, MOST_BYTES).decode('utf-8').split('\n')
    except UnicodeDecodeError as error:
        raise malformed(path, f'text lines of {_WANTED}', f'other bytes at position {error.start}')
    boxes = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f'{path}:{number}'
        values = _values(line, place)
        label = int(values[0])
        if label != values[0] or not 0 <= label < len(class_names):
            raise DatasetError(
                f'{place}: class_id must be 0 to {len(class_names) - 1}, a position in class_names '
                f'({clipped(", ".join(class_names))}), found {shown(line.strip())}: export the dataset again with '
                'these classes'
            )
        tally.meet(f'class_id {label}')
        box = inclusive_box(label, values[1:5])
        if box.x2 <= box.x1 or box.y2 <= box.y1:
            tally.leave_out('no area', place)
            continue
        boxes.append(box)
    return tuple(boxes)


def _values(line: str, place: str) -> Sequence[float]:
    try:
        values = [float(part) for part in line.split(',')]
    except ValueError:
        values = []
    # Quality and angle may be large, but are numbers.
    if not 5 <= len(values) <= 7 or not all(map(fits, values[:5])) or not all(map(math.isfinite, values)):
        raise malformed(place, _WANTED, shown(line.strip()))
    return values
