"""Write the weights of a stage, with what a later task asks of them."""

from __future__ import annotations

from pathlib import Path

from executor.training.stage_files import StageContent
from executor.weights.write import save_weights


def write(folder: Path, content: StageContent) -> str:
    """Write `<stage>.pth`."""
    name = f'{content.name}.pth'
    classes = {'classes': tuple(content.class_names)}
    meta = {'epoch': content.epoch, 'mAP': content.mAP, 'dataset_meta': classes, 'config_file': content.config_name}
    save_weights(folder / name, content.parameters, meta)
    return name
