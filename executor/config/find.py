"""Find the config that the parameter `config_file` names, without importing what will read it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import List, Sequence, Union

from executor.contract.errors import ParameterError
from executor.contract.params import DetectionParams, Job, TrainParams
from executor.contract.shown import shown

REPOSITORY = Path(__file__).resolve().parents[2]
OUR_CONFIGS = REPOSITORY / 'configs'


def our_configs() -> List[str]:
    """List our configs by the names that `config_file` may have, such as `configs/yolox/yolox_s_8x8_300e_coco.py`."""
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in OUR_CONFIGS.glob('*/*.py'))


def mmdet_configs() -> Path:
    """Find the folder of mmdet's packaged configs, which lie below its `configs`."""
    spec = importlib.util.find_spec('mmdet')
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError('mmdet')
    return Path(spec.origin).resolve().parent / '.mim'


def is_trusted(file: Path) -> bool:
    """Tell whether a config is ours or mmdet's own, so that it may run as the Python it is."""
    return any(root in Path(os.path.realpath(file)).parents for root in (OUR_CONFIGS, mmdet_configs() / 'configs'))


def find_config(name: str, package_files: Sequence[Path]) -> Path:
    """Find the file that `config_file` names: of the model package (by base name), else ours, mmdet's, or any path.

    Raises:
        ParameterError: no such file.
    """
    candidates = [file for file in package_files if file.name == name]
    candidates += [REPOSITORY / name, mmdet_configs() / name, Path(name)]
    for candidate in candidates:
        if candidate.suffix == '.py' and os.path.isfile(candidate):
            return candidate.resolve()
    packaged = ', '.join(file.name for file in package_files if file.suffix == '.py')
    raise ParameterError(
        'config_file',
        f'config_file {shown(name)} does not exist: use one of {", ".join(our_configs())}; a config of mmdet such as '
        f'configs/retinanet/retinanet_r50_fpn_1x_coco.py; or a config of the pretrained model '
        f'({packaged or "it has none"})',
    )


def check_config_file(job: Job) -> None:
    """Check that the config which the task names is there; inference and mining may leave it to the model package.

    Raises:
        ConfigError: it is not.
    """
    parts: List[Union[TrainParams, DetectionParams, None]] = [job.training, job.mining, job.infer]
    for params in parts:
        if params is not None and params.config_file:
            try:
                find_config(params.config_file, params.model_files)
            except ParameterError as error:
                raise job.placed(error)
