"""Read folders of images alone, or single images: to infer and to mine."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence

from desk.layouts.dataset import IMAGE_SUFFIXES, Dataset, ListedImage, files_below
from executor.contract.errors import DatasetError


def read_images_layout(data: Sequence[Path], images: Optional[Path] = None) -> Dataset:
    """List the images of some folders with all below them, and images that are named.

    Raises:
        DatasetError: a folder holds none.
    """
    listed: List[ListedImage] = []
    for place in data:
        found = [place] if place.is_file() else list(files_below(place, IMAGE_SUFFIXES))
        if not found:
            raise DatasetError(f'{place} holds no image ({", ".join(IMAGE_SUFFIXES)}): name a folder that has some')
        listed += (ListedImage(image, str(place)) for image in found)
    return Dataset((), listed)
