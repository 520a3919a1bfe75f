"""Make training pictures of a dataset's images, which are read once where there is room for them."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence

import cv2
import numpy as np
from mmengine.dataset import BaseDataset

from executor.contract.errors import ImageError
from executor.images.cache import ImageCache
from executor.images.decode import decode, read_bytes
from executor.images.prepare import Size
from executor.training.augment.boxes import Boxes
from executor.training.augment.composition import Composition
from executor.training.augment.steps import Transform


class _Entry(NamedTuple):
    """An image of the dataset."""

    info: Mapping[str, Any]  # as mmdet's transforms begin with it
    path: Path
    size: Size  # on disk
    boxes: Boxes


class Pictures:
    """Makes the picture that begins with an image. Set `cache` and `encoded` before the loading processes begin."""

    def __init__(self, dataset: BaseDataset, composition: Composition) -> None:
        self._dataset = dataset
        self._composition = self._current = composition
        self.cache: Optional[ImageCache] = None
        self.encoded = False  # whether images are kept as they are on disk
        self._remember()

    @classmethod
    def of(cls, dataset: BaseDataset, pipeline: Sequence[Transform]) -> Optional[Pictures]:
        """Compose a pipeline of mmdet's, from loading to packing; None where that cannot be."""
        composition = Composition.of(pipeline)
        return None if composition is None else cls(dataset, composition)

    def _remember(self) -> None:
        # A picture asks for the same few images several times, and many images have the same size.
        self._entry = functools.lru_cache(maxsize=16)(self._read_entry)
        self._used = functools.lru_cache(maxsize=1024)(self._composition.largest)

    def __getstate__(self) -> Dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ('_entry', '_used')}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._remember()

    def leave_out(self, kinds: Sequence[str]) -> None:
        """Leave out the transforms of some types from now on."""
        self._current = self._composition.without(kinds)

    def __call__(self, image: int) -> Dict[str, Any]:
        """Make a picture, in the form that mmdet's loaders give.

        Raises:
            ImageError: an image in it cannot be decoded.
        """
        return self._current(image, self)

    def __len__(self) -> int:
        return len(self._dataset)

    def lengths(self) -> np.ndarray:
        """Give the bytes that each image takes in the cache, (N,) int64; 0 for a file that is gone."""
        infos = (self._dataset.get_data_info(image) for image in range(len(self)))
        if self.encoded:
            return np.array([_file_size(info['img_path']) for info in infos], np.int64)
        sizes = [self._used((info['width'], info['height'])) for info in infos]
        return np.array(sizes, np.int64).prod(1) * 3

    def info(self, image: int) -> Mapping[str, Any]:
        """Give what mmdet's transforms begin with."""
        return self._entry(image).info

    def size(self, image: int) -> Size:
        """Give (width, height) on disk."""
        return self._entry(image).size

    def boxes(self, image: int) -> Boxes:
        """Give the true boxes, in pixels on disk."""
        return self._entry(image).boxes

    def pixels(self, image: int) -> np.ndarray:
        """Give (H, W, 3) uint8 BGR, no larger than training makes use of, not to be written to.

        Raises:
            ImageError: it cannot be decoded.
        """
        _, path, size, _ = self._entry(image)
        width, height = used = self._used(size)
        kept = None if self.cache is None else self.cache.read(image)
        if kept is not None and not self.encoded:
            return kept.reshape(height, width, 3)
        data = read_bytes(path) if kept is None else kept
        pixels = decode(data, path)
        if pixels.shape[1::-1] != size:
            raise ImageError(f'{path} has changed since the task began, when it had {size[0]} x {size[1]} pixels')
        if size != used:
            pixels = cv2.resize(pixels, used, interpolation=cv2.INTER_LINEAR)
        if self.cache is not None and kept is None:
            self.cache.write(image, data if self.encoded else pixels)
        return pixels

    def _read_entry(self, image: int) -> _Entry:
        info = self._dataset.get_data_info(image)
        size, instances = (info['width'], info['height']), info['instances']
        boxes = Boxes(
            np.array([instance['bbox'] for instance in instances], np.float32).reshape(-1, 4),
            np.array([instance['bbox_label'] for instance in instances], np.int64),
            np.array([instance['ignore_flag'] for instance in instances], bool),
        )
        return _Entry(info, Path(info['img_path']), size, boxes)


def _file_size(path: str) -> int:
    with contextlib.suppress(OSError):
        return Path(path).stat().st_size
    return 0
