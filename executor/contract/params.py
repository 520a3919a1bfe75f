"""config.yaml: what the user chose in the platform's form, as one frozen dataclass a task.

A field's default is the template's default (a test compares them), its `parse` metadata turns what YAML gave into the
typed value. Empty fields and null count as missing.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type, TypeVar

from executor.contract import forms, options
from executor.contract.annotations import FORMATS
from executor.contract.env import Env
from executor.contract.errors import ConfigError, ModelError, ParameterError
from executor.contract.shown import clipped, shown
from executor.contract.yaml_file import YamlMapping, read_yaml_mapping

logger = logging.getLogger(__name__)

# Keys the platform fills in or uses itself; they are no fields of a template.
RESERVED_KEYS = (
    'task_id',
    'class_names',
    'gpu_id',
    'gpu_count',
    'object_type',
    'pretrained_model_params',
    'model_params_path',
    'run_training',
    'run_mining',
    'run_infer',
)


# Beyond every machine: a slip of the keyboard should not fill the memory first.
_MOST_SAMPLES, _MOST_WORKERS = 4096, 256

MINING_ALGORITHMS = ('aldd', 'cald', 'entropy', 'random')


def _param(default: Any, parse: Callable[[Any], Any]) -> Any:
    if callable(default):
        return dataclasses.field(default_factory=default, metadata={'parse': parse})
    return dataclasses.field(default=default, metadata={'parse': parse})


@dataclass(frozen=True)
class TaskParams:
    """What every task gets from the platform.

    `class_names` in the order of the class ids; `gpu_ids` are GPU numbers inside the container, empty for CPU;
    `model_files` are the files of one model stage, absolute (pretrained weights for training, the model otherwise).
    """

    class_names: Tuple[str, ...]
    gpu_ids: Tuple[int, ...]
    model_files: Tuple[Path, ...]
    places: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)  # `file:line` of each key


@dataclass(frozen=True)
class TrainParams(TaskParams):
    """Parameters of training, see training-template.yaml for the meaning of each."""

    shm_size: str = _param('128G', forms.text)
    export_format: str = _param('ark:raw', forms.choice(*FORMATS))
    samples_per_gpu: int = _param(16, forms.integer(1, _MOST_SAMPLES))
    workers_per_gpu: int = _param(4, forms.integer(0, _MOST_WORKERS))
    max_epochs: int = _param(100, forms.integer(1))
    config_file: str = _param('configs/yolox/yolox_tiny_8x8_300e_coco.py', forms.text)
    args_options: options.TrainArgs = _param(options.TrainArgs, options.train_args)
    cfg_options: Dict[str, Any] = _param(dict, options.cfg_options)
    metric: str = _param('bbox', forms.choice('bbox'))
    val_interval: int = _param(1, forms.integer())
    max_keep_checkpoints: int = _param(1, forms.integer())
    ymir_saved_file_patterns: Tuple[str, ...] = _param((), forms.patterns)

    @property
    def config_options(self) -> Dict[str, Any]:
        """The changes to the config, from both texts that may hold some."""
        return {**self.args_options.cfg_options, **self.cfg_options}


@dataclass(frozen=True)
class DetectionParams(TaskParams):
    """What inference and mining share: how the detector is run. `iou_threshold` None is the model's own."""

    shm_size: str = _param('128G', forms.text)
    config_file: str = _param('', forms.text)
    samples_per_gpu: int = _param(16, forms.integer(1, _MOST_SAMPLES))
    workers_per_gpu: int = _param(4, forms.integer(0, _MOST_WORKERS))
    iou_threshold: Optional[float] = _param(None, forms.number(0, 1))
    cfg_options: Dict[str, Any] = _param(dict, options.cfg_options)


@dataclass(frozen=True)
class InferParams(DetectionParams):
    """Parameters of inference, see infer-template.yaml for the meaning of each."""

    conf_threshold: float = _param(0.2, forms.number(0, 1))


@dataclass(frozen=True)
class MiningParams(DetectionParams):
    """Parameters of mining, see mining-template.yaml for the meaning of each."""

    mining_algorithm: str = _param('aldd', forms.choice(*MINING_ALGORITHMS))
    class_distribution_scores: Tuple[float, ...] = _param((), forms.numbers)
    aldd_exact: bool = _param(False, forms.flag)
    seed: int = _param(0, forms.integer(0))


@dataclass(frozen=True)
class Job:
    """One task, whole: what a worker is given. A part that does not run is None."""

    env: Env
    training: Optional[TrainParams]
    mining: Optional[MiningParams]
    infer: Optional[InferParams]

    @property
    def gpu_ids(self) -> Tuple[int, ...]:
        """The GPUs of the task, whichever parts it has; empty for CPU."""
        return self._params.gpu_ids

    @property
    def _params(self) -> TaskParams:
        """Of one part; the parts of a task have the same config.yaml."""
        return next(params for params in (self.training, self.mining, self.infer) if params is not None)

    def placed(self, error: ParameterError) -> ConfigError:
        """The error with the line of config.yaml that it is about, where the parameter has one."""
        place = self._params.places.get(error.key)
        if place is None:
            return error
        placed = ConfigError(f'{place}: {error}')
        placed.__cause__ = error.__cause__  # mmdet's own words, for the traceback
        return placed


def read_job(env: Env) -> Job:
    """Read config.yaml for the tasks that env.yaml asks for; unknown keys give one warning.

    Raises:
        ConfigError: a value is wrong; the message has file and line, the value found and what is allowed.
        ModelError: a model file that the platform names is not there.
    """
    source = read_yaml_mapping(env.input.config_file)
    job = Job(
        env=env,
        training=_read(TrainParams, source, env, 'pretrained_model_params') if env.run_training else None,
        mining=_read(MiningParams, source, env, 'model_params_path') if env.run_mining else None,
        infer=_read(InferParams, source, env, 'model_params_path') if env.run_infer else None,
    )
    known = set(RESERVED_KEYS)
    for params in (job.training, job.mining, job.infer):
        if params is not None:
            known.update(name for name, _ in _template_fields(type(params)))
    unknown = [str(key) for key in source.values if key not in known]
    if unknown:
        logger.warning('%s: ignoring unknown keys: %s', source.path, ', '.join(unknown))
    if job.mining is not None:
        _check_class_weights(source, job.mining)
    return job


def _check_class_weights(source: YamlMapping, params: MiningParams) -> None:
    weights, key = params.class_distribution_scores, 'class_distribution_scores'
    if len(weights) > len(params.class_names) or min(weights, default=0.0) < 0:
        raise ConfigError(
            f'{source.where(key)}: {key} must be numbers from 0 up, at most one for each of the '
            f'{len(params.class_names)} classes ({", ".join(params.class_names)}), in this order, '
            f'found {shown(source.values[key])}'
        )


P = TypeVar('P', bound=TaskParams)


def _read(kind: Type[P], source: YamlMapping, env: Env, model_key: str) -> P:
    values: Dict[str, Any] = {}
    for name, parse in _template_fields(kind):
        if not _missing(source.values.get(name)):
            values[name] = _parse(source, name, parse)
    return kind(
        class_names=_class_names(source),
        gpu_ids=_gpu_ids(source),
        model_files=_model_files(source, model_key, env.input.models_dir),
        places={str(key): source.where(str(key)) for key in source.values},
        **values,
    )


def _template_fields(kind: Type[TaskParams]) -> Tuple[Tuple[str, Callable[[Any], Any]], ...]:
    return tuple((f.name, f.metadata['parse']) for f in dataclasses.fields(kind) if 'parse' in f.metadata)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _parse(source: YamlMapping, key: str, parse: Callable[[Any], Any]) -> Any:
    value = source.values[key]
    try:
        return parse(value)
    except ValueError as error:
        raise ConfigError(f'{source.where(key)}: {key} must be {error}, found {shown(value)}')


def _class_names(source: YamlMapping) -> Tuple[str, ...]:
    value = source.values.get('class_names')
    where = source.where('class_names')
    if _missing(value) or value == []:
        raise ConfigError(f'{where}: class_names must list the classes to work on, found {shown(value)}')
    names = _parse(source, 'class_names', forms.texts)
    # A list is not shortened: the position is the class id of the annotations.
    if not names or (isinstance(value, list) and len(names) != len(value)):
        raise ConfigError(f'{where}: class_names must be names, none of them empty, found {shown(value)}')
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        raise ConfigError(
            f'{where}: class_names must be different from each other, found twice: {", ".join(doubled[:5])}'
        )
    return names


def _gpu_ids(source: YamlMapping) -> Tuple[int, ...]:
    if not _missing(source.values.get('gpu_count')) and _parse(source, 'gpu_count', forms.integer(0)) == 0:
        return ()
    if _missing(source.values.get('gpu_id')):
        return ()
    return _parse(source, 'gpu_id', forms.gpu_ids)


def _model_files(source: YamlMapping, key: str, models_dir: Path) -> Tuple[Path, ...]:
    """Absolute names are taken as they are (platform 2.0), relative ones lie in `models_dir` (older platforms)."""
    if _missing(source.values.get(key)):
        return ()
    files = tuple(models_dir / name for name in _parse(source, key, forms.texts))
    lost = [str(file) for file in files if not os.path.isfile(file)]  # Path.is_file fails on impossible names
    if lost:
        more = ', ...' if len(lost) > 5 else ''
        raise ModelError(
            f'{source.where(key)}: {len(lost)} of {len(files)} files of {key} {"is" if len(lost) == 1 else "are"} not '
            f'there, or may not be read: {", ".join(map(clipped, lost[:5]))}{more}: choose a model whose files the '
            'container sees'
        )
    return files
