"""Find the config that the parameter `config_file` names, without importing what will read it."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set, Union

from executor.config.names import former_names, nearest_names, todays_name
from executor.contract.errors import ExecutorError, ParameterError, noting
from executor.contract.params import DetectionParams, Job, TrainParams
from executor.contract.shown import shown

REPOSITORY = Path(__file__).resolve().parents[2]
OUR_CONFIGS = REPOSITORY / 'configs'
_EXAMPLE = 'configs/yolox/yolox_s_8x8_300e_coco.py'


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
    """Find the file that `config_file` names: of the model package (by base name), else of the image, or any path.

    Raises:
        ParameterError: no such file.
    """
    candidates = [file for file in package_files if file.name == name]
    candidates += [REPOSITORY / name, mmdet_configs() / name, Path(name)]
    for candidate in candidates:
        if candidate.suffix == '.py' and os.path.isfile(candidate):
            return candidate.resolve()
    found = find_of_image(name) if name.endswith('.py') and not os.path.isabs(name) else None
    if found is not None:
        return found
    packaged = ', '.join(file.name for file in package_files if file.suffix == '.py')
    raise ParameterError(
        'config_file',
        f'config_file {shown(name)} does not exist{nearest_of_image(name)}: use a config of this image such as '
        f'{_EXAMPLE} (docs/models.md and `start.py --models` list them); one of mmdet such as '
        f'configs/retinanet/retinanet_r50_fpn_1x_coco.py; or one of the pretrained model ({packaged or "it has none"})',
    )


def find_of_image(name: str) -> Optional[Path]:
    """Find the config of this image that a file name of mmdet 2 or 3 means: ours, else mmdet's; None without one."""
    ours, mmdets = our_configs(), _mmdets_configs()
    found = todays_name(name, (ours, mmdets), _former_names())
    return None if found is None else (REPOSITORY if found in ours else mmdet_configs()) / found


def nearest_of_image(name: str) -> str:
    """Name the configs of this image that a name is most like, for a message; nothing where it is like none."""
    near = nearest_names(name, [*our_configs(), *_mmdets_configs()])
    return f' (the nearest are {", ".join(near)})' if near else ''


@functools.lru_cache
def _mmdets_configs() -> List[str]:
    files = (mmdet_configs() / 'configs').glob('[!_]*/*.py')
    # What tests on several copies of an image is a part of a config.
    return [file.relative_to(mmdet_configs()).as_posix() for file in files if not file.stem.endswith('tta')]


@functools.lru_cache
def _former_names() -> Dict[str, Set[str]]:
    return former_names((mmdet_configs() / 'configs').glob('**/metafile.yml'))


def check_config_file(job: Job, problems: Optional[List[ExecutorError]] = None) -> None:
    """Check that the config which the task names is there; inference and mining may leave it to the model package.

    With `problems`, what is wrong is noted there.

    Raises:
        ConfigError: it is not.
    """
    parts: List[Union[TrainParams, DetectionParams, None]] = [job.training, job.mining, job.infer]
    for params in parts:
        if params is not None and params.config_file:
            with noting(problems):
                try:
                    find_config(params.config_file, params.model_files)
                except ParameterError as error:
                    raise job.placed(error)
