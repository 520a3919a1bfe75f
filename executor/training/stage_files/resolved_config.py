"""Write the config of a stage, complete: a later task needs no other file to build the model."""

from __future__ import annotations

from pathlib import Path

from executor.config.plain import config_text
from executor.contract.output.files import replace_file
from executor.training.stage_files import StageContent


def write(folder: Path, content: StageContent) -> str:
    """Write the config under the name of the file that the training was given."""
    replace_file(folder / content.config_name, config_text(content.config))
    return content.config_name
