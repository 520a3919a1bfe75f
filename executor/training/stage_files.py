"""Write the files of a stage, each by a function of its own; `WRITERS` of the stage hook lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

import torch
from mmengine.config import Config

from executor.config.plain import config_text
from executor.contract.output.files import replace_file
from executor.weights.checkpoint import CLASS_AP, save_weights


@dataclass(frozen=True)
class StageContent:
    """The material of a stage's files."""

    name: str  # such as `epoch_3`
    epoch: int  # from 1
    mAP: float  # AP50 in 0..1
    class_ap: Mapping[str, float]  # COCO's AP by class name, in 0..1; empty without a validation
    parameters: Mapping[str, torch.Tensor]  # as inference should use them
    class_names: Sequence[str]
    config: Config  # of the training, resolved
    config_name: str  # a file name


Writer = Callable[[Path, StageContent], str]  # writes one file into the folder, whole, and returns its name


def write_stage_weights(folder: Path, content: StageContent) -> str:
    """Write `<stage>.pth`: the parameters, with what a later task asks of them."""
    name = f'{content.name}.pth'
    classes = {'classes': tuple(content.class_names)}
    numbers = {'epoch': content.epoch, 'mAP': content.mAP, CLASS_AP: dict(content.class_ap)}
    meta = {**numbers, 'dataset_meta': classes, 'config_file': content.config_name}
    save_weights(folder / name, content.parameters, meta)
    return name


def write_stage_config(folder: Path, content: StageContent) -> str:
    """Write the config, complete, under its old name: a later task needs no other file to build the model."""
    replace_file(folder / content.config_name, config_text(content.config))
    return content.config_name
