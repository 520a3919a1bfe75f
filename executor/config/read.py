"""Read a config as mmengine's `Config`: as code only where it is ours or mmdet's own.

A config from outside may name registered parts alone. mmengine takes a `type` with a dot for something to import, and
mmcv and mmdet evaluate a few words of a config as Python; so `type='subprocess.Popen'` in a package's config, or in
cfg_options, would be a program to run.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import AbstractSet, Iterator, Mapping, Sequence, Tuple

from mmengine.config import Config

from executor.config.find import OUR_CONFIGS, find_config, mmdet_configs
from executor.config.plain import ConfigDict, read_plain_config
from executor.contract.errors import ModelError
from executor.contract.params import TrainParams
from executor.models.families import registered_names

SCOPES = ('mmdet', 'mmengine', 'mmcv')
_NMS = ('nms', 'soft_nms', 'nms_match')  # mmcv evaluates this word, which no registry has
_FILES_THAT_RUN = ('teacher_config', 'proposal_file')  # keys that name a file which mmdet runs as Python, or unpickles
_EVALUATING = ('RFSearchHook', 'CameraMotionCompensation')  # they evaluate text of their configs as Python


def load_config(name: str, package_files: Sequence[Path] = ()) -> Config:
    """Load the config that the parameter `config_file` names.

    Ours and mmdet's are Python that mmengine runs; any other file is read as data and never run.

    Raises:
        ParameterError: no such file.
        ModelError: a file outside the repository and mmdet holds more than plain assignments.
    """
    path = find_config(name, package_files)
    if any(root in path.parents for root in (OUR_CONFIGS, mmdet_configs())):
        return Config.fromfile(str(path))
    values = read_plain_config(path)
    for key, value in running_parts(values):
        raise ModelError(
            f'{path}: {key} = {value!r} would run code, which no config of a package may: use the config that the '
            'training wrote'
        )
    for key in ('model', 'train_dataloader'):
        if not isinstance(values.get(key), dict):
            raise ModelError(
                f'{path} is no complete mmdet 3 config, without {key} = {{...}} (a config of mmdet 2 cannot be used): '
                f'set config_file to one of this image, such as {TrainParams.config_file}'
            )
    return Config(values, filename=str(path))


def running_parts(config: Mapping[str, object]) -> Iterator[Tuple[str, object]]:
    """Find every part of a config that could run code, as key and value."""
    names = registered_names().union(_NMS)
    for key, value in _leaves(dict(config.items()), ''):  # mmengine's Config is no mapping
        *parents, name = key.split('.')
        allowed = True
        if name in ('type', 'constructor'):
            in_nms = bool(parents) and parents[-1].startswith('nms')
            allowed = _is_registered_name(value, names) and (not in_nms or value in _NMS)
        elif name in ('_scope_', 'default_scope'):
            allowed = value in (None, *SCOPES)
        elif name in _FILES_THAT_RUN:
            allowed = not value
        if not allowed:
            yield key, value


def _is_registered_name(value: object, names: AbstractSet[str]) -> bool:
    """Tell whether a registry has it, as `Resize` or `mmdet.Resize`; what none has mmengine would try to import.

    Some words are for mmdet itself, such as `RoIAlign`: harmless where no module has their name.
    """
    if not isinstance(value, str):
        return isinstance(value, type)  # a class that a config of our own imports
    scope, dot, name = value.rpartition('.')
    if name in names:
        return name not in _EVALUATING and (not dot or scope in SCOPES)
    return not dot and re.fullmatch(r'\w+', name) is not None and importlib.util.find_spec(name) is None


def _leaves(value: object, key: str) -> Iterator[Tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f'{key}.{name}' if key else str(name))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _leaves(item, f'{key}.{number}')
    else:
        yield key, value


def outer_pipeline(dataset: ConfigDict) -> Sequence[ConfigDict]:
    """Find the transforms that make what the model gets: those of the outermost dataset that has some."""
    while 'pipeline' not in dataset:
        if not {'dataset', 'datasets'} & set(dataset):
            raise ValueError(f'the dataset ({dataset.get("type")}) has no pipeline')
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    return dataset['pipeline']
