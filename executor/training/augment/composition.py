"""Choose the pipelines that can be composed, and run them."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Protocol, Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import transforms
from mmdet.structures.bbox import HorizontalBoxes

from executor.images.prepare import Letterbox, Size
from executor.training.augment import steps
from executor.training.augment.picture import Picture, whole
from executor.training.augment.steps import Sample, Source, Step, Transform


class Images(Source, Protocol):
    """A source that has the pixels as well, and what is known of each image."""

    def pixels(self, image: int) -> np.ndarray:
        """Give (H, W, 3) uint8 BGR: the whole image, maybe smaller than on disk.

        Raises:
            ImageError: it cannot be decoded.
        """

    def info(self, image: int) -> Mapping[str, Any]:
        """Give what mmdet's transforms begin with."""


class _Known(NamedTuple):
    """A transform of mmdet's that can be composed."""

    step: Step
    place: int  # in a pipeline none follows one with a higher number
    fits: Callable[[Transform], bool] = lambda transform: True  # whether none of its options is beyond us
    whole_image: Optional[Callable[[Transform], Letterbox]] = None  # how one is resized that it puts into its picture


def _is_size(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(side, int) and side > 0 for side in value)


def _resizes(resize: Transform) -> bool:
    return _is_size(resize.scale) and (resize.backend, resize.interpolation) == ('cv2', 'bilinear')


def _pads(pad: Transform) -> bool:
    # With a single float mmdet would fill the first channel alone.
    return pad.padding_mode == 'constant' and isinstance(pad.pad_val.get('img', 0), (int, tuple, list))


def _filters(annotations: Transform) -> bool:
    return annotations.by_box and not annotations.by_mask and not annotations.keep_empty


_KNOWN = {
    transforms.Mosaic: _Known(
        steps.mosaic, 0, lambda mosaic: _is_size(mosaic.img_scale), lambda mosaic: Letterbox(mosaic.img_scale, True)
    ),
    transforms.RandomAffine: _Known(steps.random_affine, 1, lambda affine: len(set(affine.border_val)) == 1),
    transforms.MixUp: _Known(
        steps.mix_up, 2, lambda mix: _is_size(mix.dynamic_scale), lambda mix: Letterbox(mix.dynamic_scale, True)
    ),
    transforms.YOLOXHSVRandomAug: _Known(steps.hsv, 3),
    transforms.RandomFlip: _Known(steps.random_flip, 3),
    transforms.Resize: _Known(steps.resize, 3, _resizes, lambda resize: Letterbox(resize.scale, resize.keep_ratio)),
    transforms.Pad: _Known(steps.pad, 4, _pads),
    transforms.FilterAnnotations: _Known(steps.filter_annotations, 5, _filters),
}


class Composition:
    """A training pipeline whose pictures are drawn at once; `of` says which it can be."""

    def __init__(self, middle: Sequence[Transform], pack: Transform) -> None:
        self._middle = middle
        self._pack = pack

    @classmethod
    def of(cls, pipeline: Sequence[Transform]) -> Optional[Composition]:
        """Compose mmdet's transforms; None where one, an option of it, or their order is beyond this."""
        kinds = [type(transform) for transform in pipeline]
        middle = pipeline[2:-1]
        if not _loads(pipeline[:2]) or kinds[-1] is not transforms.PackDetInputs or not set(kinds[2:-1]) <= set(_KNOWN):
            return None
        known = [_KNOWN[kind] for kind in kinds[2:-1]]
        places = [one.place for one in known]
        greys = {one.pad_val for one in middle if isinstance(one, (transforms.Mosaic, transforms.MixUp))}
        greys |= {one.border_val[0] for one in middle if isinstance(one, transforms.RandomAffine)}
        if len(set(known)) < len(known) or places != sorted(places) or len(greys) > 1:
            return None
        return cls(middle, pipeline[-1]) if all(one.fits(each) for one, each in zip(known, middle)) else None

    def without(self, kinds: Sequence[str]) -> Composition:
        """Leave out the transforms of some types."""
        return Composition([one for one in self._middle if type(one).__name__ not in kinds], self._pack)

    def largest(self, size: Size) -> Size:
        """Give the largest size at which a step makes use of an image of this size, which is never more than it has."""
        known = [(_KNOWN[type(transform)].whole_image, transform) for transform in self._middle]
        wanted = [letterbox(transform).resized(size) for letterbox, transform in known if letterbox] or [size]
        width, height = (min(own, max(sides)) for own, sides in zip(size, zip(*wanted)))
        return width, height

    def __call__(self, image: int, images: Images) -> Dict[str, Any]:
        """Make the training picture that begins with an image, in the form that mmdet's loaders give.

        Raises:
            ImageError: an image in it cannot be decoded.
        """
        sample = self.drawn(image, images)
        picture = sample.picture.draw(images.pixels)
        info = images.info(image)
        results = {
            **{key: info[key] for key in ('img_id', 'img_path')},
            'ori_shape': (info['height'], info['width']),
            'img_shape': picture.shape[:2],
            **sample.meta,
            'gt_bboxes': HorizontalBoxes(torch.from_numpy(sample.boxes.bboxes)),
            'gt_bboxes_labels': sample.boxes.labels,
            'gt_ignore_flags': sample.boxes.ignored,
        }
        planes = np.empty((3, *picture.shape[:2]), np.uint8)
        cv2.split(picture, list(planes))
        return {'inputs': torch.from_numpy(planes), **self._pack.transform(results)}

    def drawn(self, image: int, source: Source) -> Sample:
        """Draw the random numbers, and say what they make of an image and others; no pixels yet."""
        size = source.size(image)
        sample = Sample(Picture(size, [whole(image, size)]), source.boxes(image), {})
        for transform in self._middle:
            sample = _KNOWN[type(transform)].step(transform, sample, source)
        return sample


def _loads(pipeline: Sequence[Transform]) -> bool:
    """Say whether these load an image and its boxes, and nothing else."""
    if len(pipeline) < 2 or not isinstance(pipeline[0], LoadImageFromFile):
        return False
    load, annotate = pipeline
    return (
        type(annotate) is transforms.LoadAnnotations
        and not load.to_float32
        and annotate.with_bbox
        and annotate.with_label
        and not (annotate.with_mask or annotate.with_seg or annotate.with_keypoints)
        and annotate.box_type == 'hbox'
    )
