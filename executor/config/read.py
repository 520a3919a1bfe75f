"""Read a config as mmengine's `Config`: as code only where it is ours or mmdet's own."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from mmengine.config import Config

from executor.config.allowed import refused_parts
from executor.config.find import find_config, is_trusted
from executor.config.our_data import kept_of_package, put_our_data
from executor.config.plain import ConfigDict, read_plain_config
from executor.contract.errors import ModelError
from executor.contract.params import TrainParams
from executor.contract.shown import clipped, shown


def load_config(name: str, package_files: Sequence[Path] = ()) -> Config:
    """Load the config that the parameter `config_file` names.

    Ours and mmdet's are Python that mmengine runs; any other file is read as data and never run.

    Raises:
        ParameterError: no such file.
        ModelError: a file outside the repository and mmdet holds more than plain assignments.
    """
    path = find_config(name, package_files)
    if is_trusted(path):
        config = Config.fromfile(str(path))
        put_our_data(config)
        return config
    values = kept_of_package(read_plain_config(path))
    put_our_data(values)
    for key, value, wanted in refused_parts(values):
        raise ModelError(
            f'{path}: {key} must be {clipped(wanted, 600)}, found {shown(value)}: nothing else may stand there in the '
            'config of a package: use the config that the training wrote'
        )
    for key in ('model', 'train_dataloader'):
        if not isinstance(values.get(key), dict):
            raise ModelError(
                f'{path} is no complete mmdet 3 config, without {key} = {{...}} (a config of mmdet 2 cannot be used): '
                f'set config_file to one of this image, such as {TrainParams.config_file}'
            )
    return Config(values, filename=str(path))


def outer_pipeline(dataset: ConfigDict) -> Sequence[ConfigDict]:
    """Find the transforms that make what the model gets: those of the outermost dataset that has some."""
    while 'pipeline' not in dataset:
        if not {'dataset', 'datasets'} & set(dataset):
            raise ValueError(f'the dataset ({dataset.get("type")}) has no pipeline')
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    return dataset['pipeline']
