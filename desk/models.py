"""Take what stands for a model on the command line: a task that has been run, a stage, or weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple

from desk.settings import parsed_settings
from desk.usage import UsageError
from desk.weights import class_names_in, config_in, model_files
from executor.contract.config_yaml import key_parsers
from executor.contract.params import InferParams
from executor.weights.choose import WEIGHT_SUFFIXES

# Of inference's parameters those that are not about the model: a validation has the task's, and looks at every score.
_NOT_OF_THE_MODEL = ('shm_size', 'samples_per_gpu', 'workers_per_gpu', 'conf_threshold')
MODEL_SETTINGS = tuple(name for name in key_parsers(InferParams) if name not in _NOT_OF_THE_MODEL)


@dataclass(frozen=True)
class Model:
    """A model as inference takes it."""

    name: str  # short, for people
    params: InferParams  # its files and settings, its classes if they are known
    class_names: Optional[Tuple[str, ...]]  # None where the weights do not name them


def find_model(place: Path, settings: Mapping[str, object], class_names: Optional[Tuple[str, ...]]) -> Model:
    """Find the files of a model, and what they say of themselves; `class_names` are for weights that name none.

    Raises:
        UsageError: it has no weights.
        ModelError: the weights cannot be read.
    """
    if not place.exists():
        raise UsageError(f'{place} is not there: name a task that has been run, the folder of a stage, or weights')
    files = tuple(file.absolute() for file in model_files([place], called=''))
    if not any(file.suffix in WEIGHT_SUFFIXES for file in files):
        raise UsageError(f'{place} holds no weights ({", ".join(WEIGHT_SUFFIXES)}): name a model')
    names = class_names_in(files)
    config = config_in(files)
    found: Dict[str, object] = {'config_file': config} if config and config.startswith('configs/') else {}
    params = InferParams(
        class_names=names or class_names or (),
        gpu_ids=(),
        model_files=files,
        **{**found, **settings},  # type: ignore[arg-type]
    )
    return Model(model_name(place), params, names or class_names)


def model_settings(given: Sequence[str]) -> Mapping[str, object]:
    """Read the `key=value` texts of --set.

    Raises:
        UsageError: a key is not about the model, or its value is not one that it may have.
    """
    settings, parsers = parsed_settings(given, 'infer'), key_parsers(InferParams)
    for key in settings:
        if key not in MODEL_SETTINGS:
            known = ', '.join(MODEL_SETTINGS)
            raise UsageError(f'--set {key} is not about the model: set {known}; the rest is that of the task')
    return {key: parsers[key](value) for key, value in settings.items() if value.strip()}


def model_name(place: Path) -> str:
    """Name a model briefly: by its task, a stage by its task as well, a file by what it is called."""
    place = place.resolve()
    if place.is_file():
        place = place.parent if place.parent.name == place.stem else place.with_suffix('')
    stage, *above = [place, *place.parents][:4]
    if len(above) == 3 and (above[0].name, above[1].name) == ('models', 'out'):
        return f'{above[2].name}-{stage.name}'
    return stage.name
