"""Read the argument of --classes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Tuple

from desk.coco_classes import COCO_CLASSES
from desk.layouts.dataset import lines_of
from desk.usage import UsageError
from executor.contract.shown import shown


def class_list(text: str) -> Tuple[str, ...]:
    """Read `a,b`, a file with a name a line, or `coco` for its 80."""
    if text == 'coco':
        return COCO_CLASSES
    names = lines_of(Path(text)) if os.path.isfile(text) else text.split(',')
    names = [' '.join(name.split()) for name in names if name.strip()]
    if not names or len(set(names)) < len(names):
        raise UsageError(
            f'--classes must be different names with commas between them, a file with a name a line, or coco, found '
            f'{shown(text)}'
        )
    return tuple(names)
