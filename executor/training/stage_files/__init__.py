"""Write the files of a stage: each by the function `write` of a module beside this one."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Mapping, Sequence, Tuple

import torch
from mmengine.config import Config

WRITERS = ('model_weights', 'resolved_config')  # modules, in the order of their files in result.yaml


@dataclass(frozen=True)
class StageContent:
    """The material of a stage's files."""

    name: str  # such as `epoch_3`
    epoch: int  # from 1
    mAP: float  # AP50 in 0..1
    parameters: Mapping[str, torch.Tensor]  # as inference should use them
    class_names: Sequence[str]
    config: Config  # of the training, resolved
    config_name: str  # a file name


Writer = Callable[[Path, StageContent], str]  # writes one file into the folder, whole, and returns its name


def write_stage(folder: Path, content: StageContent) -> Tuple[str, ...]:
    """Write all files of a stage; returns their names."""
    writers: List[Writer] = [importlib.import_module(f'{__name__}.{module}').write for module in WRITERS]
    return tuple(write(folder, content) for write in writers)
