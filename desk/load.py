"""Load a dataset for a task: its usable images with their usable boxes, and an account of the others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from desk.layouts.dataset import Boxes, Dataset, ListedImage, Size
from executor.contract.annotations.records import Tally, TrueBox
from executor.contract.errors import DatasetError, ImageError
from executor.contract.shown import clipped, listed, shown
from executor.images.decode import image_size


class Sample(NamedTuple):
    """An image that is there, and its boxes; `part` as in `ListedImage`."""

    image: Path
    size: Size
    boxes: Boxes
    part: str


@dataclass
class Loaded:
    """What a task is made of; `warnings` are whole sentences."""

    class_names: Tuple[str, ...]
    samples: List[Sample]
    split: str
    images_left_out: Tally
    boxes_left_out: Tally
    warnings: List[str]


def load_samples(dataset: Dataset, wanted: Optional[Sequence[str]]) -> Loaded:
    """Load the images of a training with their boxes, of the `wanted` classes where some are named.

    Raises:
        DatasetError: an annotation is malformed, or nothing is left to learn from.
    """
    own_names = _clean(dataset.class_names)
    class_names = tuple(wanted or own_names)
    unknown = [name for name in class_names if name not in own_names]
    if unknown:
        raise DatasetError(
            f'no class of the dataset is called {listed(unknown)}: choose among {listed(own_names, 20)} (--classes)'
        )
    warnings = [*dataset.warnings, *_alike(class_names)]
    labels = {own_names.index(name): label for label, name in enumerate(class_names)}
    images_left_out, boxes_left_out = dataset.images_left_out, dataset.boxes_left_out
    samples: List[Sample] = []
    for image in _once(dataset, images_left_out):
        try:
            size = image_size(image.image)
        except ImageError:
            images_left_out.leave_out('no image that can be decoded', image.image)
            continue
        boxes = _kept(image.read(size, boxes_left_out), labels, size, image.image, boxes_left_out)
        samples.append(Sample(image.image, size, boxes, image.part))
    _check_some(samples, dataset)
    # The same data in another layout is the same task, to the last bit of the trained model.
    samples.sort(key=lambda sample: (sample.image.name, str(sample.image)))
    if not any(sample.boxes for sample in samples):
        raise DatasetError(
            f'none of the {len(samples)} images has a box of {listed(class_names)}'
            f'{"".join(f"; {count} left out: {why}" for why, count in boxes_left_out.left_out.items())}: '
            'choose other --classes, or another dataset'
        )
    return Loaded(class_names, samples, dataset.split, images_left_out, boxes_left_out, warnings)


def load_candidates(dataset: Dataset, class_names: Sequence[str]) -> Loaded:
    """Load the images of an inference or a mining; what is in them is not looked at."""
    left_out = dataset.images_left_out
    samples = [Sample(image.image, (0, 0), (), '') for image in _once(dataset, left_out, parts=False)]
    _check_some(samples, dataset)
    return Loaded(tuple(class_names), samples, '', left_out, Tally(), dataset.warnings)


def _once(dataset: Dataset, left_out: Tally, parts: bool = True) -> List[ListedImage]:
    """Return the listed images that are there, each once; in both parts where the dataset wants it so."""
    known: Set[Tuple[str, str]] = set()
    images = []
    for image in dataset.images:
        path = os.path.realpath(str(image.image))
        key = (path, image.part if parts else '')
        if not os.path.isfile(path):
            left_out.leave_out('not there', image.image, image.place)
        elif key in known:
            left_out.leave_out('listed a second time', image.image, image.place)
        else:
            known.add(key)
            images.append(image)
    return images


def _check_some(samples: Sequence[Sample], dataset: Dataset) -> None:
    if samples:
        return
    left_out = dataset.images_left_out
    reasons = '; '.join(f'{count} {why}, first {left_out.first[why]}' for why, count in left_out.left_out.items())
    raise DatasetError(f'no image is left of the dataset ({reasons}): mend that, or say --images FOLDER')


def _kept(boxes: Boxes, labels: Dict[int, int], size: Size, image: Path, left_out: Tally) -> Boxes:
    kept: List[TrueBox] = []
    for box in boxes:
        label = labels.get(box.label)
        if label is None:
            left_out.leave_out('not of --classes', image)
        elif box.x2 <= 0 or box.y2 <= 0 or box.x1 >= size[0] or box.y1 >= size[1]:
            left_out.leave_out('wholly outside of the image', image)
        else:
            kept.append(box._replace(label=label))
    return tuple(kept)


def _clean(names: Sequence[str]) -> Tuple[str, ...]:
    """Return names without blanks around them, and with single ones inside; two must not become one."""
    clean = [' '.join(name.split()) for name in names]
    for number, name in enumerate(clean):
        if not name:
            raise DatasetError(f'a class of the dataset is called {shown(names[number])}: give it a name')
        if name in clean[:number]:
            other = names[clean.index(name)]
            raise DatasetError(
                f'the classes {shown(other)} and {shown(names[number])} differ by blanks alone: give both one name, or '
                'each its own'
            )
    return tuple(clean)


def _alike(names: Sequence[str]) -> List[str]:
    """Tell of classes that differ by case alone, which are most often one."""
    by_case: Dict[str, List[str]] = {}
    for name in names:
        by_case.setdefault(name.casefold(), []).append(name)
    alike = [' and '.join(same) for same in by_case.values() if len(same) > 1]
    told = f'classes that differ by case alone are two: {clipped(", ".join(alike))}'
    return [told] if alike else []
