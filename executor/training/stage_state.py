"""Write the stages of a training as plain values, for the state to resume from, and read them back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import List, Mapping, Optional, Sequence, Tuple

from executor.contract.output.training_result import Stage, is_plain_name
from executor.evaluation.coco import ClassResult
from executor.evaluation.thresholds import AtThreshold
from executor.training.expect import Form, each, entries, flag, fraction, mapping, text, whole, wrong


@dataclass(frozen=True)
class TrainedStage:
    """A stage on disk, with its numbers per class."""

    stage: Stage  # as result.yaml lists it
    classes: Tuple[ClassResult, ...]
    written: Tuple[str, ...]  # the names of all its files, listed or not


PlainStage = Mapping[str, object]


def plain_stages(stages: Sequence[TrainedStage]) -> List[PlainStage]:
    """Write stages as plain values."""
    return [dataclasses.asdict(trained) for trained in stages]


def read_stages(state: object, config_name: str) -> Tuple[TrainedStage, ...]:
    """Read what `plain_stages` wrote, which lay in a file since; `config_name` is that of this training.

    Raises:
        ValueError: a value is none that we write: above all names, which become those of folders and files.
    """
    stages = each(state, 'ymir_stages', lambda value, place: _trained_stage(value, place, config_name))
    epochs = [trained.stage.epoch for trained in stages]
    if epochs != sorted(set(epochs)):
        raise wrong('ymir_stages', 'in the order of their epochs, each once', epochs)
    return stages


def _trained_stage(value: object, place: str, config_name: str) -> TrainedStage:
    entry = mapping(value, place)
    stage = _stage(entry.get('stage'), f'{place}.stage')
    classes = each(entry.get('classes'), f'{place}.classes', _class_result)
    # The version before this one wrote these two, whatever it listed, and did not save what it wrote.
    usual = tuple(dict.fromkeys((*stage.files, f'{stage.name}.pth', config_name)))
    written = _file_names(entry['written'], f'{place}.written') if 'written' in entry else usual
    return TrainedStage(stage, classes, written)


def _stage(value: object, place: str) -> Stage:
    stage = Stage(**entries({'validated': True, **mapping(value, place)}, place, _STAGE))
    if stage.name != f'epoch_{stage.epoch}':
        raise wrong(f'{place}.name', f'epoch_{stage.epoch}', stage.name)
    return stage


def _class_result(value: object, place: str) -> ClassResult:
    return ClassResult(**entries(value, place, _CLASS_RESULT))


def _at_threshold(value: object, place: str) -> Optional[AtThreshold]:
    # The version before this one wrote none.
    return None if value is None else AtThreshold(**entries(value, place, _AT_THRESHOLD))


def _file_names(value: object, place: str) -> Tuple[str, ...]:
    return each(value, place, _file_name)


def _file_name(value: object, place: str) -> str:
    if not is_plain_name(value):
        raise wrong(place, 'the name of a file without a folder', value)
    return str(value)


# What each field must be.
_COUNTS: Form = {'tp': whole, 'fp': whole, 'fn': whole}
_AT_THRESHOLD: Form = dict.fromkeys(('threshold', 'precision', 'recall', 'f1'), fraction)
_CLASS_RESULT: Form = {
    **{'name': text, 'true_boxes': whole, 'ap': fraction, 'ap_50': fraction, **_COUNTS},
    'at_best': _at_threshold,
}
_STAGE: Form = {
    **{'name': text, 'epoch': partial(whole, least=1), 'files': _file_names, 'mAP': fraction, 'mAR': fraction},
    **{**_COUNTS, 'timestamp': whole, 'validated': flag},
}
