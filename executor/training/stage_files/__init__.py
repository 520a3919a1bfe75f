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
    """What the files of a stage are made of.

    Attributes:
        name: of the stage, such as `epoch_3`.
        epoch: counted from 1.
        mAP: AP50 in 0..1.
        parameters: the model's, as inference should use them.
        class_names: in the order of the class ids.
        config: the resolved config of the training.
        config_name: the file name of the config.
    """

    name: str
    epoch: int
    mAP: float
    parameters: Mapping[str, torch.Tensor]
    class_names: Sequence[str]
    config: Config
    config_name: str


class Writer(Protocol):
    """Writes files of a stage, each of them whole, and returns their names."""

    def __call__(self, folder: Path, content: StageContent) -> Sequence[str]: ...


def load_writers() -> List[Writer]:
    """Import the writers of the table."""
    return [importlib.import_module(f'{__name__}.{name}').write for name in WRITERS]


def write_stage(writers: Sequence[Writer], folder: Path, content: StageContent) -> Tuple[str, ...]:
    """Write all files of a stage; returns their names."""
    return tuple(name for write in writers for name in write(folder, content))
