"""Sum up the images that a training learns from and is measured with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.survey.drift import Drift, class_drift, size_drift
from executor.survey.duplicates import equal_files
from executor.survey.histogram import ASPECT_EDGES, NUMBER_EDGES, SIZE_EDGES, Distribution, distribution
from executor.survey.images import Images
from executor.survey.overlap import Overlaps, overlaps

TINY = 8  # pixels of the network's input, the stride of most detectors' finest level
CELLS = 20  # of the heat map, each way


@dataclass(frozen=True)
class Classes:
    """What there is of each class, (K,)."""

    boxes: NDArray[np.int64]
    images: NDArray[np.int64]  # with such a box
    tiny: NDArray[np.int64]  # boxes below 8 pixels
    median_size: NDArray[np.float64]  # NaN without boxes


@dataclass(frozen=True)
class SetSurvey:
    """What a set is made of. Boxes to be ignored count in `ignored` alone."""

    images: int
    boxes: int
    ignored: int
    empty: int  # images without any box
    only_ignored: int  # images all of whose boxes are to be ignored
    classes: Classes
    number: Distribution  # of boxes in an image
    size: Distribution  # of boxes, the square root of their area in the network's input
    aspect: Distribution  # of boxes, width by height in the network's input
    centres: NDArray[np.int64]  # (20, 20) boxes by where their centre lies in the image, rows from the top
    overlaps: Overlaps
    broken: Sequence[str]  # what was said of images that are left out


class Equal(NamedTuple):
    """The paths of images that have the same content."""

    training: Sequence[str]
    validation: Sequence[str]


@dataclass(frozen=True)
class Copies:
    """Images whose files are equal."""

    training: int  # images of the training set that repeat an earlier one of it
    validation: int  # the same of the validation set
    shared: int  # validation images that the training set has, too
    groups: Sequence[Equal]  # those in both sets first
    not_compared: int  # images of equal size that could not be read in time


@dataclass(frozen=True)
class Survey:
    """A training set, the validation set where there is one, and how they compare."""

    training: SetSurvey
    validation: Optional[SetSurvey]
    class_drift: Optional[Drift]
    size_drift: Optional[Drift]
    copies: Copies


def survey(training: Images, validation: Optional[Images], classes: int, seconds: float) -> Survey:
    """Sum up both sets; `seconds` bound how long files are compared."""
    learnt, copies = _survey_of(training, classes), _copies(training, validation, seconds)
    if validation is None:
        return Survey(learnt, None, None, None, copies)
    measured = _survey_of(validation, classes)
    by_class = class_drift(learnt.classes.boxes, measured.classes.boxes)
    by_size = size_drift(_sizes(training.counted()), _sizes(validation.counted()))
    return Survey(learnt, measured, by_class, by_size, copies)


def _survey_of(images: Images, classes: int) -> SetSurvey:
    counted = images.counted()
    number, total = (np.bincount(one.image, minlength=len(images.paths)) for one in (counted, images))
    size, (width, height) = _sizes(counted), _sides(counted).T
    centres = (counted.box[:, :2] + counted.box[:, 2:]) / 2 / images.size[counted.image]
    column, row = np.minimum(centres * CELLS, CELLS - 1).astype(np.int64).T
    return SetSurvey(
        images=len(images.paths),
        boxes=len(counted.box),
        ignored=len(images.box) - len(counted.box),
        empty=int((total == 0).sum()),
        only_ignored=int(((number == 0) & (total > 0)).sum()),
        classes=_classes(counted, size, classes),
        number=distribution(number, NUMBER_EDGES),
        size=distribution(size, SIZE_EDGES),
        aspect=distribution(width / height, ASPECT_EDGES),
        centres=np.bincount(row * CELLS + column, minlength=CELLS**2).reshape(CELLS, CELLS),
        overlaps=overlaps(counted),
        broken=images.broken,
    )


def _sides(images: Images) -> NDArray[np.float64]:
    """Give width and height of each box in the network's input, (B, 2)."""
    scale = (images.input_size / images.size)[images.image]
    return (images.box[:, 2:] - images.box[:, :2]) * scale


def _sizes(images: Images) -> NDArray[np.float64]:
    return np.sqrt(_sides(images).prod(axis=1))


def _classes(images: Images, size: NDArray[np.float64], classes: int) -> Classes:
    pairs = np.unique(images.label * len(images.paths) + images.image)  # class and image, each once
    order = np.lexsort((size, images.label))
    bounds = np.searchsorted(images.label[order], np.arange(classes + 1))
    medians = [np.median(size[order[start:end]]) if start < end else np.nan for start, end in zip(bounds, bounds[1:])]
    return Classes(
        boxes=np.diff(bounds),
        images=np.bincount(pairs // max(1, len(images.paths)), minlength=classes),
        tiny=np.bincount(images.label[size < TINY], minlength=classes),
        median_size=np.array(medians, np.float64),
    )


def _copies(training: Images, validation: Optional[Images], seconds: float) -> Copies:
    sets = [training] if validation is None else [training, validation]
    paths = [path for one in sets for path in one.paths]
    found = equal_files(paths, seconds)
    border = len(training.paths)
    groups: List[Equal] = []
    for group in found.groups:
        parts = [paths[n] for n in group if n < border], [paths[n] for n in group if n >= border]
        groups.append(Equal(*parts))
    return Copies(
        training=sum(max(0, len(group.training) - 1) for group in groups),
        validation=sum(max(0, len(group.validation) - 1) for group in groups),
        shared=sum(len(group.validation) for group in groups if group.training),
        groups=sorted(groups, key=lambda group: not (group.training and group.validation)),
        not_compared=found.not_compared,
    )
