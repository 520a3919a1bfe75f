"""Read a config as mmengine's `Config`: as code only where it is ours or mmdet's own."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

from mmengine.config import Config

from executor.config.allowed import refused_parts
from executor.config.find import find_config, find_of_image, is_trusted, nearest_of_image
from executor.config.mmdet2 import architecture_of, as_mmdet3, is_mmdet2
from executor.config.our_data import kept_of_package, put_our_data
from executor.config.plain import ConfigDict, plain_config, read_plain_config
from executor.contract.errors import ModelError, ParameterError
from executor.contract.params import TrainParams
from executor.contract.shown import clipped, first_line, shown

logger = logging.getLogger(__name__)

_ANOTHER = f'set config_file to one of this image, such as {TrainParams.config_file}'
# What mmdet 2 writes: its first versions the names of files above their text; when weights are published, a date.
_FILE_LINE = re.compile(r'^\S*\.py$', re.MULTILINE)
_PUBLISHED = re.compile(r'[_-]\d{8}(_\d{6})?(-[0-9a-f]{8})?$')


def load_config(name: str, package_files: Sequence[Path] = ()) -> Config:
    """Load the config that the parameter `config_file` names.

    Ours and mmdet's are Python that mmengine runs; any other file is read as data and never run.

    Raises:
        ParameterError: no such file.
        ModelError: a file outside the repository and mmdet holds more than plain assignments.
    """
    path = find_config(name, package_files)
    if not is_trusted(path):
        return _of_a_package(read_plain_config(path), path, path.name)
    if path.name != Path(name).name:
        logger.info('config_file %s is called %s today', name, path.name)
    return _of_the_image(path)


def load_config_of_weights(weights: Path, meta: Mapping[str, object]) -> Optional[Config]:
    """Load the config that weights of mmdet name and hold; None where they name none of this image.

    Raises:
        ModelError: it holds more than a config of a package may.
    """
    text = meta.get('config')
    text = text if isinstance(text, str) else ''
    published = f'{_PUBLISHED.sub("", weights.stem)}.py'
    names: List[object] = [meta.get('exp_name'), *_FILE_LINE.findall(text)[-1:], published]
    found = ((name, find_of_image(name)) for name in names if isinstance(name, str))
    name, base = next(((name, base) for name, base in found if base is not None), ('', None))
    if base is None:
        return None
    try:
        held = plain_config(text, weights)
    except ModelError:
        held = {}  # the text of several files
    if is_mmdet2(held):
        return _of_a_package(held, weights, name)
    logger.info('%s needs no config_file: it is of %s', weights.name, base.name)
    return _of_the_image(base)


def _run(path: Path) -> Config:
    try:
        return Config.fromfile(str(path))
    except ImportError as error:
        told = f'config_file {path.name} needs a package that is not in this image ({clipped(first_line(error))})'
        raise ParameterError('config_file', f'{told}: choose another')


def _of_the_image(path: Path) -> Config:
    config = _run(path)
    put_our_data(config)
    return config


def _of_a_package(values: ConfigDict, path: Path, name: str) -> Config:
    """Hold a config to what a package may say; `name` is that of the file it was made from."""
    if is_mmdet2(values):
        values = _as_of_today(values, path, name)
    values = kept_of_package(values)
    put_our_data(values)
    for key, value, wanted in refused_parts(values):
        raise ModelError(
            f'{path}: {key} must be {clipped(wanted, 600)}, found {shown(value)}: nothing else may stand there in the '
            'config of a package: use the config that the training wrote, or set config_file to one of this image'
        )
    for key in ('model', 'train_dataloader'):
        if not isinstance(values.get(key), dict):
            raise ModelError(f'{path} is no complete config of mmdet 3 or 2, without {key} = {{...}}: {_ANOTHER}')
    return Config(values, cfg_text=str(path), filename=str(path))  # without a text it would read the file


def _as_of_today(old: ConfigDict, path: Path, name: str) -> ConfigDict:
    base = find_of_image(name)
    if base is None:
        raise ModelError(
            f'{path} is a config of mmdet 2 ({architecture_of(old)}), and this image has none that was called '
            f'{shown(name)}{nearest_of_image(name)}: {_ANOTHER}'
        )
    logger.info('%s holds a config of mmdet 2: model and test are its own, all else is of %s', path, base.name)
    try:
        return as_mmdet3(old, _run(base).to_dict())
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f'{type(error).__name__}: {clipped(first_line(error))}'
        raise ModelError(f'{path}: this config of mmdet 2 cannot be used ({reason}): {_ANOTHER}')
