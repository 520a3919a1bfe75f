"""Tell which weights were built into the image; without torch, so that it can be asked at once."""

from __future__ import annotations

from pathlib import Path
from typing import List

IMAGE_WEIGHTS = Path('/weights')


def names_in_image() -> List[str]:
    """List the files below /weights."""
    return sorted(file.relative_to(IMAGE_WEIGHTS).as_posix() for file in IMAGE_WEIGHTS.rglob('*') if file.is_file())
