"""Where the config lies that the parameter `config_file` names; looked up without importing what will read it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Sequence

from executor.contract.errors import ParameterError
from executor.contract.params import Job
from executor.contract.shown import shown

REPOSITORY = Path(__file__).resolve().parents[2]
OUR_CONFIGS = REPOSITORY / 'configs'


def mmdet_configs() -> Path:
    """The folder of mmdet's packaged configs, which lie below its `configs`."""
    return Path(importlib.util.find_spec('mmdet').origin).resolve().parent / '.mim'


def find_config(name: str, package_files: Sequence[Path]) -> Path:
    """The file that `config_file` names.

    Looked for in this order: the files of the model package (by base name), this repository, mmdet's packaged configs,
    the path itself.

    Raises:
        ParameterError: no such file.
    """
    candidates = [file for file in package_files if file.name == name]
    candidates += [REPOSITORY / name, mmdet_configs() / name, Path(name)]
    for candidate in candidates:
        if candidate.suffix == '.py' and os.path.isfile(candidate):
            return candidate.resolve()
    ours = ', '.join(f'configs/yolox/{path.name}' for path in sorted((OUR_CONFIGS / 'yolox').glob('*.py')))
    packaged = ', '.join(file.name for file in package_files if file.suffix == '.py')
    raise ParameterError(
        'config_file',
        f'config_file {shown(name)} does not exist: use one of {ours}; a config of mmdet such as '
        f'configs/retinanet/retinanet_r50_fpn_1x_coco.py; or a config of the pretrained model '
        f'({packaged or "it has none"})',
    )


def check_config_file(job: Job) -> None:
    """That the config which the task names is there; inference and mining may leave it to the model package.

    Raises:
        ConfigError: it is not.
    """
    for params in filter(None, (job.training, job.mining, job.infer)):
        if params.config_file:
            try:
                find_config(params.config_file, params.model_files)
            except ParameterError as error:
                raise job.placed(error)
