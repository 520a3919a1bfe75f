"""Examine a model on a few validation images, for its page: how long an image takes, and what NMS takes away."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence

import numpy as np
import torch

from executor.contract.shown import first_line
from executor.detections import Detections
from executor.detector.model import LoadedModel
from executor.detector.trial import count_flops, try_model
from executor.evaluation.lost import LostBoxes, images_with_missed, lost_boxes
from executor.images.decode import read_image
from executor.report.pictures import evenly_spaced
from executor.training.metric import Validation

logger = logging.getLogger(__name__)

_MOST_IMAGES = 20
_FEWEST_IMAGES = 8  # to time


@dataclass(frozen=True)
class Examination:
    """What was found, as far as it could be."""

    speed: Optional[Mapping[str, object]] = None  # as the page and its numbers have it
    lost: Optional[LostBoxes] = None


def examine(
    trained: LoadedModel, device: torch.device, validation: Validation, labels: Optional[Sequence[int]] = None
) -> Examination:
    """Try the model where its validation missed something, and on some other images if these are few.

    `labels`: of each class of the model its label in the validation, -1 for none; None where they are the same. What
    goes wrong is a warning.
    """
    try:
        return _examine(trained, device, validation, labels)
    except Exception as error:  # it is an extra: whatever goes wrong in it must not cost the page
        logger.warning('times and losses in NMS are not known: %s: %s', type(error).__name__, first_line(error))
        return Examination()


def _examine(
    trained: LoadedModel, device: torch.device, validation: Validation, labels: Optional[Sequence[int]]
) -> Examination:
    details = validation.evaluation.details
    assert details is not None, 'it was validated'
    if not validation.paths:
        return Examination()
    matches, threshold = details.matches, details.best.threshold
    missing = images_with_missed(matches, threshold) if details.best.f1 else []
    chosen = [missing[n] for n in evenly_spaced(len(missing), _MOST_IMAGES)]
    others = [n for n in evenly_spaced(len(validation.paths), 2 * _FEWEST_IMAGES) if n not in chosen]
    tried = chosen + others[: max(0, _FEWEST_IMAGES - len(chosen))]
    images = (read_image(Path(validation.paths[n])) for n in tried)
    trial = try_model(trained, device, images, threshold)
    flops = count_flops(trained.model, *trial.input_size)
    speed = {
        'images': len(tried),
        'input': list(trial.input_size),
        'preparation_ms': trial.preparation,
        'network_ms': trial.network,
        'postprocessing_ms': trial.postprocessing,
        'gflops': None if flops is None else flops / 1e9,
        'ran_on': torch.cuda.get_device_name(device) if device.type == 'cuda' else 'CPU',
    }
    lost = None
    if trial.before is not None and details.best.f1:
        before: Dict[int, Detections] = {image: _of_task(found, labels) for image, found in zip(chosen, trial.before)}
        lost = lost_boxes(matches, threshold, before)
    return Examination(speed, lost)


def _of_task(found: Detections, labels: Optional[Sequence[int]]) -> Detections:
    """Give boxes the labels of the validation, without those of classes that it does not have."""
    if labels is None:
        return found
    label = np.array(labels, np.int64)[found.labels]
    return Detections(found.boxes, found.scores, label).select(label >= 0)
