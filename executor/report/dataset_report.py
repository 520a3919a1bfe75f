"""Put together what is known of a dataset, as plain numbers: the content of its dataset.json, and of its page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from executor.contract.shown import listed
from executor.report.page import Numbers, rounded
from executor.survey.drift import Drift
from executor.survey.histogram import Distribution
from executor.survey.overlap import OVERLAP
from executor.survey.survey import TINY, SetSurvey, Survey

_MOST_NAMED = 50  # broken images, groups of equal ones
_MOST_EQUAL = 10  # images of a group


@dataclass(frozen=True)
class TrainingPicture:
    """A picture as the model gets it, with its boxes."""

    pixels: NDArray[np.uint8]  # (H, W, 3) BGR
    boxes: NDArray[np.float32]  # (N, 4) x1 y1 x2 y2
    labels: NDArray[np.int64]  # (N,)


@dataclass(frozen=True)
class DatasetReport:
    """The images that a training begins with."""

    class_names: Sequence[str]
    survey: Survey
    input_size: Optional[Tuple[int, int]]  # what images are resized to fit into; None where that is not one size
    batches: Sequence[Sequence[TrainingPicture]]
    no_batches: str = ''  # why there are none


def dataset_numbers(report: DatasetReport) -> Numbers:
    """Write every number of a report as plain values; None is undefined."""
    survey = report.survey
    return {
        'input_size': report.input_size,
        'classes': list(report.class_names),
        'training': _set_numbers(survey.training),
        'validation': None if survey.validation is None else _set_numbers(survey.validation),
        'drift': {'classes': _drift(survey.class_drift), 'size': _drift(survey.size_drift)},
        'duplicates': {
            'training': survey.copies.training,
            'validation': survey.copies.validation,
            'shared': survey.copies.shared,
            'not_compared': survey.copies.not_compared,
            'groups': [
                {name: list(paths[:_MOST_EQUAL]) for name, paths in group._asdict().items()}
                for group in survey.copies.groups[:_MOST_NAMED]
            ],
        },
    }


def _set_numbers(of: SetSurvey) -> Numbers:
    return {
        'images': of.images,
        'boxes': of.boxes,
        'ignored': of.ignored,
        'empty': of.empty,
        'only_ignored': of.only_ignored,
        'broken': len(of.broken),
        'broken_named': list(of.broken[:_MOST_NAMED]),
        'tiny': int(of.classes.tiny.sum()),
        'classes': {
            'boxes': of.classes.boxes.tolist(),
            'images': of.classes.images.tolist(),
            'tiny': of.classes.tiny.tolist(),
            'median_size': rounded(of.classes.median_size),
        },
        'boxes_an_image': _distribution(of.number),
        'size': _distribution(of.size),
        'aspect': _distribution(of.aspect),
        'centres': of.centres.tolist(),
        'overlap': {'iou': OVERLAP, **of.overlaps._asdict()},
    }


def _distribution(of: Distribution) -> Numbers:
    return {'edges': rounded(list(of.edges)), 'count': of.count.tolist(), 'quantiles': rounded(of.quantiles)}


def _drift(drift: Optional[Drift]) -> Optional[Numbers]:
    return None if drift is None else rounded(drift._asdict())


def summary(numbers: Numbers) -> List[str]:
    """Write what is worth knowing before a training begins, a line each."""
    size = numbers['input_size']
    at = 'on disk' if size is None else f'at {size[0]} x {size[1]}'
    lines = [_set_line(name, numbers[name], at) for name in ('training', 'validation') if numbers[name] is not None]
    drift = numbers['drift']
    if drift['classes'] is not None:
        told = [
            f'{what} differ by {drift[of]["distance"]:.0%} ({drift[of]["by_chance"]:.0%} would be chance)'
            for of, what in (('classes', 'class shares'), ('size', 'box sizes'))
        ]
        lines.append(f'validation against training: {", ".join(told)}')
    equal = numbers['duplicates']
    if equal['training'] or equal['validation']:
        words = 'images that repeat another of their set: {training} of training, {validation} of validation'
        lines.append(words.format(**equal))
    return lines


def _set_line(name: str, of: Numbers, at: str) -> str:
    facts = [f'{of["boxes"]:,} boxes in {of["images"]:,} images ({of["empty"]:,} without any)']
    if of['boxes']:
        low, high = of['size']['quantiles']['25'], of['size']['quantiles']['75']
        facts.append(f'half of them {low:.0f} to {high:.0f} pixels {at}, {of["tiny"]:,} below {TINY}')
    pairs = of['overlap']['same_class'] + of['overlap']['other_class']
    facts += [f'{pairs:,} pairs overlap above IoU {OVERLAP}'] if pairs else []
    facts += [f'{of["ignored"]:,} difficult or crowd'] if of['ignored'] else []
    return f'{name}: {", ".join(facts)}'


def warnings(numbers: Numbers) -> List[str]:
    """Write what makes the numbers of a training better than its model is."""
    equal = numbers['duplicates']
    if not equal['shared']:
        return []
    shared = [group for group in equal['groups'] if group['training'] and group['validation']]
    pairs = [[Path(group[name][0]).name for name in ('training', 'validation')] for group in shared]
    named = listed([' = '.join(dict.fromkeys(pair)) for pair in pairs], 3)
    what = f'{equal["shared"]} validation images are training images, too, so that mAP will be too high'
    return [f'{what}: {named}: leave them out of one of the two']
