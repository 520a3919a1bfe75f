"""Give mmdet the exported dataset, and a faster way to the pictures that it trains on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import mmengine.registry
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import BaseDetDataset, MultiImageMixDataset
from mmdet.registry import DATASETS
from mmengine.dataset import Compose

from executor import dist
from executor.config.patches import patch
from executor.contract.errors import ImageError, OutOfMemoryError
from executor.contract.index import read_training_index
from executor.contract.shown import listed
from executor.images.decode import read_image
from executor.machine.shared_bytes import SharedBytes
from executor.training.augment.pictures import Pictures
from executor.training.entries import CLIPPED, OUTSIDE, read_entries
from executor.training.usable_boxes import check_usable_boxes

logger = logging.getLogger(__name__)

ImageEntry = Dict[str, Any]  # an image and its boxes, in the form that mmdet's transforms expect

_TOLERATED = 0.01  # fewer broken images than this are left out

patch()  # here, too: this is what a loading process imports


@DATASETS.register_module()
class YmirDataset(BaseDetDataset):
    """Images and true boxes of one index file.

    Images without objects stay in: they teach what is background. Boxes are clipped to their image. Images that cannot
    be decoded are left out and named, as long as they are fewer than one in a hundred. `classes` in mmdet's `metainfo`
    are the class names in the order of their ids.
    """

    pictures: Optional[Pictures] = None
    left_out: Sequence[str] = ()  # what was said of images that could not be read, on the first rank

    def __init__(self, index_file: str, export_format: str, **kwargs: object) -> None:
        self._index_file = Path(index_file)
        self._export_format = export_format
        self._broken: Dict[str, ImageError] = {}  # found while training, by this process
        super().__init__(**kwargs)
        if not self.test_mode:
            self.pictures = Pictures.of(self, self.pipeline.transforms)

    @property
    def pipeline(self) -> Compose:
        """Give the transforms of mmdet's."""
        return self._pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Compose) -> None:
        """Take others, as mmdet's `PipelineSwitchHook` gives while training: they run as they are."""
        self._pipeline = pipeline
        self.pictures = None

    def full_init(self) -> None:
        """Read the dataset on the first rank, and give all of them what it found.

        Raises:
            DatasetError, ImageError: the index, an annotation or an image cannot be used.
        """
        if not self._fully_initialized:  # type: ignore[has-type]
            entries, self.data_address = dist.from_first(self._read)
            self._shared = SharedBytes(len(entries))
            if not self._shared.write(entries.data, 0):
                raise OutOfMemoryError(
                    f'no memory is left for the {len(self.data_address)} images and boxes of {self._index_file}: give '
                    'the container more, or choose a smaller dataset'
                )
            self._fully_initialized = True

    @property
    def data_bytes(self) -> np.ndarray:
        """Give the pickled images one after the other, which all processes share."""
        return np.frombuffer(self._shared.memory, np.uint8)

    def _read(self) -> Tuple[np.ndarray, np.ndarray]:
        """Return the pickled images one after the other, and where each ends."""
        class_names = self.metainfo['classes']
        lines = read_training_index(self._index_file)
        entries = read_entries(lines, self._export_format, class_names)
        for sentence in entries.tally.lines():
            logger.warning(sentence)
        if entries.broken:
            self._tell_broken(entries.broken, len(lines))
            self.left_out = [str(error) for error in entries.broken]
        boxes = sum(entries.usable.values()) + entries.ignored
        left = entries.leaving.left_out
        told = ''
        if left:
            told = f' ({left[CLIPPED]} {CLIPPED}, {left[OUTSIDE]} {OUTSIDE} skipped'
            told += f', first in {next(iter(entries.leaving.first.values()))})'
        logger.info('%s: %d images, %d boxes%s', self._index_file, len(entries.pickled), boxes, told)
        check_usable_boxes(self._index_file, class_names, entries, validation=self.test_mode)
        ends = np.cumsum([len(entry) for entry in entries.pickled])
        return np.frombuffer(b''.join(entries.pickled), np.uint8), ends

    def prepare_data(self, idx: int) -> Optional[ImageEntry]:
        """Run the pipeline, as `unless_broken`."""
        return self.unless_broken(idx, super().prepare_data if self.pictures is None else self.pictures)

    def unless_broken(self, image: int, prepare: Callable[[int], ImageEntry]) -> Optional[ImageEntry]:
        """Prepare an image; None where a training image cannot be decoded, so that mmdet takes another instead.

        Raises:
            ImageError: too many cannot be decoded, or one to validate with.
        """
        try:
            return prepare(image)
        except ImageError as error:
            if self.test_mode:
                raise
            if str(error) not in self._broken:
                self._broken[str(error)] = error.with_traceback(None)  # whose frames hold pixels
                self._tell_broken(list(self._broken.values()), len(self))
            return None

    def _tell_broken(self, errors: Sequence[ImageError], of: int) -> None:
        """Warn of images that are left out, or end the task where they are too many to be an accident."""
        named = listed([str(error) for error in errors], between='; ')
        words = f'{self._index_file}: {len(errors)} of {of} images cannot be decoded: {named}'
        if len(errors) >= _TOLERATED * of:
            raise ImageError(f'{words} (fewer than {_TOLERATED:.0%} would be left out)')
        logger.warning('%s; left out', words)


@DATASETS.register_module(name='MultiImageMixDataset', force=True)
class MixDataset(MultiImageMixDataset):
    """Composes pictures where the pipeline allows it; else it is mmdet's own."""

    pictures: Optional[Pictures] = None

    def full_init(self) -> None:
        """Read the dataset inside, and choose the way."""
        super().full_init()
        if isinstance(self.dataset, YmirDataset):
            self.pictures = Pictures.of(self.dataset, [*self.dataset.pipeline.transforms, *self.pipeline])
            self._leave_out()

    def update_skip_type_keys(self, skip_type_keys: Sequence[str]) -> None:
        """Leave out the transforms of some types, as YOLOX does in its closing epochs."""
        super().update_skip_type_keys(skip_type_keys)
        self._leave_out()

    def _leave_out(self) -> None:
        if self.pictures is not None:
            self.pictures.leave_out(self._skip_type_keys or ())

    def __getitem__(self, idx: int) -> ImageEntry:
        if self.pictures is None:
            return super().__getitem__(idx)
        for _ in range(self.max_refetch):
            made = self.dataset.unless_broken(idx, self.pictures)
            if made is not None:
                return made
            idx = self.dataset._rand_another()
        raise RuntimeError(f'{self.max_refetch} pictures in a row have an image that cannot be decoded')


@mmengine.registry.TRANSFORMS.register_module(name='LoadImageFromFile', force=True)
class LoadImage(LoadImageFromFile):
    """Loads as inference does, whatever else its options say: in training, too, what cannot be decoded has a name."""

    def transform(self, results: ImageEntry) -> ImageEntry:
        """Add the image, (H, W, 3) uint8 or float32 BGR, and its size.

        Raises:
            ImageError: it cannot be read or decoded.
        """
        image = read_image(Path(results['img_path']))
        image = image.astype(np.float32) if self.to_float32 else image
        return {**results, 'img': image, 'img_shape': image.shape[:2], 'ori_shape': image.shape[:2]}
