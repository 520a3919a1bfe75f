"""Write the weights of a stage, with what a later task asks of them."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from executor.training.stage_files import StageContent
from executor.weights.checkpoint import save_weights


def write(folder: Path, content: StageContent) -> Sequence[str]:
    """Write `<stage>.pth`."""
    name = f'{content.name}.pth'
    meta = {
        'epoch': content.epoch,
        'mAP': content.mAP,
        'dataset_meta': {'classes': tuple(content.class_names)},
        'config_file': content.config_name,
    }
    save_weights(folder / name, content.parameters, meta)
    return [name]
