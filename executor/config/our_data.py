"""Keep of a config what is its own: not whose images it was made for, and how their files are read."""

from __future__ import annotations

from typing import List, Mapping, MutableMapping

from executor.config.allowed import LOADERS, OUR_DATASET, PACKAGE, WRAPPERS
from executor.config.places import unscoped
from executor.config.plain import ConfigDict

_HOW_FILES_ARE_READ = ('backend_args', 'file_client_args', 'imdecode_backend', 'ignore_empty')


def kept_of_package(config: Mapping[str, object]) -> ConfigDict:
    """Keep of a package's config what a training or a detection takes from one.

    The weights of a backbone are named without a folder: they are looked for in the image alone.
    """
    kept = {key: config[key] for key in PACKAGE if key in config}
    return {key: _without_folders(value) if key == 'model' else value for key, value in kept.items()}


def _without_folders(value: object) -> object:
    if isinstance(value, dict):
        named = {key: None if key == 'pretrained' else _without_folders(item) for key, item in value.items()}
        checkpoint = named.get('checkpoint')
        return {**named, 'checkpoint': checkpoint.rpartition('/')[2]} if isinstance(checkpoint, str) else named
    return type(value)(map(_without_folders, value)) if isinstance(value, (list, tuple)) else value


def put_our_data(config: MutableMapping[str, object]) -> None:
    """Replace the innermost dataset of each loader by ours under the same pipeline, and drop how files are read.

    Types lose their scope: what is done with a loader, a schedule or an image depends on some of their names.
    """
    for key in set(PACKAGE).difference(('model',)):
        if key in config:
            config[key] = _without_reading(config[key])
    for loader in (config[key] for key in LOADERS if key in config):
        if isinstance(loader, dict) and 'dataset' in loader:
            loader['dataset'] = _with_our_dataset(loader['dataset'])


def _without_reading(value: object) -> object:
    if isinstance(value, dict):
        read = {key: _without_reading(item) for key, item in value.items() if key not in _HOW_FILES_ARE_READ}
        kind = read.get('type')
        return {**read, 'type': unscoped(kind)} if isinstance(kind, str) else read
    return type(value)(map(_without_reading, value)) if isinstance(value, (list, tuple)) else value


def _with_our_dataset(dataset: object) -> object:
    if not isinstance(dataset, dict):
        return dataset
    words = WRAPPERS.get(unscoped(str(dataset.get('type'))))
    if words is None:
        return {'type': OUR_DATASET, **{key: item for key, item in dataset.items() if key == 'pipeline'}}
    wrapper = {key: item for key, item in dataset.items() if key in ('type', *words.split())}
    if 'dataset' in wrapper:
        wrapper['dataset'] = _with_our_dataset(wrapper['dataset'])
    if isinstance(wrapper.get('datasets'), (list, tuple)):
        wrapper['datasets'] = [_with_our_dataset(one) for one in wrapper['datasets'][:1]]  # an epoch is once through
    return wrapper


def outer_pipeline(dataset: ConfigDict) -> List[ConfigDict]:
    """Find the transforms that make what the model gets: those of the outermost dataset that has some."""
    while 'pipeline' not in dataset:
        if not {'dataset', 'datasets'} & set(dataset):
            raise ValueError(f'the dataset ({dataset.get("type")}) has no pipeline')
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    pipeline: List[ConfigDict] = dataset['pipeline']
    return pipeline
