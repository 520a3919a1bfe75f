"""Hold the boxes of a whole validation in flat arrays, and with whom each was matched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Sequence, Tuple, Type, TypeVar

import numpy as np
from numpy.typing import NDArray

from executor.evaluation.results import ImageResult

S = TypeVar('S', bound=np.generic)


@dataclass(frozen=True)
class Boxes:
    """The P predictions and the G true boxes of all images, image after image."""

    images: int
    classes: int
    image: NDArray[np.int32]  # (P,) position of the image, from 0
    box: NDArray[np.float32]  # (P, 4) x1 y1 x2 y2
    label: NDArray[np.int32]  # (P,)
    score: NDArray[np.float32]  # (P,)
    true_image: NDArray[np.int32]  # (G,)
    true_box: NDArray[np.float64]  # (G, 4)
    true_label: NDArray[np.int32]  # (G,)
    true_counted: NDArray[np.bool_]  # (G,) not ignored

    @property
    def true_boxes(self) -> NDArray[np.int64]:
        """Count the true boxes of each class that are not ignored, (K,)."""
        return np.bincount(self.true_label[self.true_counted], minlength=self.classes)


@dataclass(frozen=True)
class Matches(Boxes):
    """Boxes, and how pycocotools matched them at IoU 0.5."""

    matched: NDArray[np.int32]  # (P,) the true box that a prediction was matched with; -1 is none
    counted: NDArray[np.bool_]  # (P,) neither matched with an ignored box nor beyond the 100 best of class and image

    @property
    def right(self) -> NDArray[np.bool_]:
        """Say of each prediction whether it is a true positive."""
        return self.counted & (self.matched >= 0)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Say of each prediction whether it is a false positive."""
        return self.counted & (self.matched < 0)

    def found(self, predictions: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say of each true box whether one of these predictions, a mask, is its match."""
        found = np.zeros(len(self.true_image), bool)
        found[self.matched[predictions & self.right]] = True
        return found

    def every(self, step: int) -> Matches:
        """Keep each `step`-th image alone."""
        kept, true_kept = self.image % step == 0, self.true_image % step == 0
        place = np.where(true_kept, np.cumsum(true_kept) - 1, -1)  # (G,) of the true boxes among those that are kept
        matched = self.matched[kept]
        return Matches(
            images=-(-self.images // step),
            classes=self.classes,
            image=self.image[kept] // step,
            box=self.box[kept],
            label=self.label[kept],
            score=self.score[kept],
            matched=np.where(matched >= 0, place[matched], -1).astype(np.int32) if len(place) else matched,
            counted=self.counted[kept],
            true_image=self.true_image[true_kept] // step,
            true_box=self.true_box[true_kept],
            true_label=self.true_label[true_kept],
            true_counted=self.true_counted[true_kept],
        )


def join(results: Sequence[ImageResult], classes: int) -> Boxes:
    """Put the boxes of all images together."""
    image, label = _of_each(results, lambda result: result.found.labels)
    true_image, true_label = _of_each(results, lambda result: result.truth.labels)
    return Boxes(
        images=len(results),
        classes=classes,
        image=image,
        # Where an IoU is no number, pycocotools takes a box for found.
        box=np.nan_to_num(_joined([result.found.boxes for result in results], (0, 4), np.float32)),
        label=label,
        score=_joined([result.found.scores for result in results], (0,), np.float32),
        true_image=true_image,
        true_box=_joined([result.truth.boxes for result in results], (0, 4), np.float64),
        true_label=true_label,
        true_counted=~_joined([result.truth.ignore for result in results], (0,), np.bool_),
    )


def image_slices(image: NDArray[np.int32], images: int) -> List[slice]:
    """Say where the boxes of each image lie among all, which are sorted by image."""
    ends = np.searchsorted(image, np.arange(images + 1))
    return [slice(start, end) for start, end in zip(ends[:-1], ends[1:])]


def _of_each(
    results: Sequence[ImageResult], labels: Callable[[ImageResult], NDArray[np.int64]]
) -> Tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Join the labels of all images; returns the image of each, and the labels."""
    each = [labels(result) for result in results]
    image = np.repeat(np.arange(len(each), dtype=np.int32), [len(one) for one in each])
    return image, _joined(each, (0,), np.int32)


def _joined(arrays: Sequence[NDArray[np.generic]], empty: Tuple[int, ...], dtype: Type[S]) -> NDArray[S]:
    return np.concatenate([np.zeros(empty, dtype), *arrays]).astype(dtype, copy=False)
