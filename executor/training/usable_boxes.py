"""Tell before the first epoch of a dataset that has nothing to learn from, or to measure with."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Sequence

from executor.contract.errors import DatasetError
from executor.contract.shown import clipped, listed
from executor.training.entries import OUTSIDE, Entries

logger = logging.getLogger(__name__)

_MOST_CLASSES = 10  # in a message
_LONGEST_NAME = 40


def check_usable_boxes(index: Path, class_names: Sequence[str], entries: Entries, validation: bool) -> None:
    """Look for boxes that are in their image and not to be ignored; classes without any give a warning.

    Raises:
        DatasetError: a training set has no such box.
    """
    without = [name for label, name in enumerate(class_names) if label not in entries.usable]
    if entries.usable:
        if without:
            logger.warning('%s: no box of %d classes: %s', index, len(without), _named(without))
        return
    tally = entries.tally
    reasons = Counter(tally.left_out)
    reasons['outside of their image'] = entries.leaving.left_out[OUTSIDE]
    reasons['difficult or crowd'] = entries.ignored
    held = 'no box at all'
    if tally.classes:
        held = _named([f'{clipped(name, _LONGEST_NAME)} ({count})' for name, count in tally.classes.most_common()])
        held += ''.join(f'; {count} {reason}' for reason, count in reasons.items() if count)
    problem = f'{index}: its {len(entries.pickled)} images have no box of {_named(class_names)}'
    if not validation:
        remedy = 'choose class_names among these, or another dataset' if tally.classes else 'choose another dataset'
        raise DatasetError(f'{problem} to learn from; its annotation files hold {held}: {remedy}')
    logger.warning('%s to measure with; its annotation files hold %s: mAP will be 0', problem, held)


def _named(names: Sequence[str]) -> str:
    return listed([clipped(name, _LONGEST_NAME + 20) for name in names], _MOST_CLASSES)
