"""Write the files of a stage: each by a module of this folder, all of them in one table."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Protocol, Sequence, Tuple

import torch
from mmengine.config import Config

# Modules with a function `write`, a `Writer`, in the order of their files in result.yaml.
WRITERS = ('model_weights', 'resolved_config')


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


class Writer(Protocol):
    def __call__(self, folder: Path, content: StageContent) -> Sequence[str]:
        """Write files of a stage, each of them whole; returns their names."""


def write_stage(folder: Path, content: StageContent) -> Tuple[str, ...]:
    """Write all files of a stage; returns their names."""
    writers: List[Writer] = [importlib.import_module(f'{__name__}.{name}').write for name in WRITERS]
    return tuple(name for write in writers for name in write(folder, content))
