"""Write the stages of a training as plain values, for the state to resume from, and read them back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

from executor.contract.output.training_result import STAGE_NAME, Stage, is_plain_name
from executor.evaluation.coco import ClassResult
from executor.training.expect import each, flag, fraction, mapping, text, whole, wrong


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
    stages = each(state, 'ymir_stages', lambda entry, place: _trained_stage(mapping(entry, place), place, config_name))
    epochs = [trained.stage.epoch for trained in stages]
    if epochs != sorted(set(epochs)):
        raise wrong('ymir_stages', 'in the order of their epochs, each once', epochs)
    return stages


def _trained_stage(entry: Dict[str, object], place: str, config_name: str) -> TrainedStage:
    stage = _stage(mapping(entry.get('stage'), f'{place}.stage'), f'{place}.stage')
    classes = each(entry.get('classes'), f'{place}.classes', _class_result)
    # The version before this one wrote these two, whatever it listed, and did not save what it wrote.
    usual = tuple(dict.fromkeys((*stage.files, f'{stage.name}.pth', config_name)))
    written = each(entry['written'], f'{place}.written', _file_name) if 'written' in entry else usual
    return TrainedStage(stage, classes, written)


def _stage(entry: Dict[str, object], place: str) -> Stage:
    epoch = whole(entry.get('epoch'), f'{place}.epoch', least=1)
    name = text(entry.get('name'), f'{place}.name')
    if not STAGE_NAME.fullmatch(name) or name != f'epoch_{epoch}':
        raise wrong(f'{place}.name', f'epoch_{epoch}', name)
    return Stage(
        name,
        epoch,
        files=each(entry.get('files'), f'{place}.files', _file_name),
        mAP=fraction(entry.get('mAP'), f'{place}.mAP'),
        mAR=fraction(entry.get('mAR'), f'{place}.mAR'),
        **{key: whole(entry.get(key), f'{place}.{key}') for key in ('tp', 'fp', 'fn', 'timestamp')},
        validated=flag(entry.get('validated', True), f'{place}.validated'),
    )


def _class_result(value: object, place: str) -> ClassResult:
    entry = mapping(value, place)
    return ClassResult(
        name=text(entry.get('name'), f'{place}.name'),
        ap=fraction(entry.get('ap'), f'{place}.ap'),
        ap_50=fraction(entry.get('ap_50'), f'{place}.ap_50'),
        **{key: whole(entry.get(key), f'{place}.{key}') for key in ('true_boxes', 'tp', 'fp', 'fn')},
    )


def _file_name(value: object, place: str) -> str:
    if not is_plain_name(value):
        raise wrong(place, 'the name of a file without a folder', value)
    return str(value)
