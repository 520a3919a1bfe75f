"""Read config.yaml into the parameters of the tasks that are to run; empty fields and null count as missing."""

from __future__ import annotations

import dataclasses
import logging
import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from executor.contract import parsers
from executor.contract.env import Env
from executor.contract.errors import ConfigError, ExecutorError, ModelError, noting
from executor.contract.params import InferParams, Job, MiningParams, TaskParams, TrainParams
from executor.contract.shown import clipped, listed, shown
from executor.contract.yaml_file import YamlMapping, read_yaml_mapping

logger = logging.getLogger(__name__)

# Keys that the platform fills in or uses itself; they are no fields of a template.
_PRETRAINED, _MODEL = 'pretrained_model_params', 'model_params_path'
_OBJECT_TYPE = 'object_type'
_RESERVED = (_OBJECT_TYPE, 'task_id', 'class_names', 'gpu_id', 'gpu_count', 'run_training', 'run_mining', 'run_infer')

_BOXES = '2'  # the platform's number of what is to be found; others are segments, or classes of whole images
_LONGEST_NAME = 200  # characters, of a class

P = TypeVar('P', bound=TaskParams)


def read_job(env: Env, problems: Optional[List[ExecutorError]] = None) -> Job:
    """Read config.yaml for the tasks that env.yaml asks for; unknown keys give one warning.

    With `problems`, what is wrong is noted there, and the job holds the default in its place, or nothing.

    Raises:
        ConfigError: a value is wrong; the message has file and line, the value found and what is allowed.
        ModelError: a model file that the platform names is not there.
    """
    source = read_yaml_mapping(env.input.config_file)
    if not _missing(source, _OBJECT_TYPE):
        with noting(problems):
            source.parse(_OBJECT_TYPE, _boxes)
    job = Job(
        env=env,
        training=_read(TrainParams, source, env, _PRETRAINED, problems) if env.run_training else None,
        mining=_read(MiningParams, source, env, _MODEL, problems) if env.run_mining else None,
        infer=_read(InferParams, source, env, _MODEL, problems) if env.run_infer else None,
    )
    known = {_PRETRAINED, _MODEL, *_RESERVED, *(name for params in job.parts for name in key_parsers(type(params)))}
    unknown = [str(key) for key in source.values if key not in known]
    if unknown:
        logger.warning('%s: ignoring unknown keys: %s', source.path, clipped(', '.join(unknown)))
    if job.mining is not None:
        with noting(problems):
            _check_class_weights(source, job.mining)
    if job.training is not None and job.training.patience is not None and job.training.args_options.no_validate:
        with noting(problems):
            raise ConfigError(
                f'{source.where("patience")}: patience: {job.training.patience} needs validations, but args_options '
                '--no-validate leaves them out: leave out one of the two'
            )
    return job


def _read(kind: Type[P], source: YamlMapping, env: Env, model_key: str, problems: Optional[List[ExecutorError]]) -> P:
    values: Dict[str, Any] = {'class_names': (), 'gpu_ids': (), 'model_files': ()}
    for name, parse in key_parsers(kind).items():
        if not _missing(source, name):
            with noting(problems):
                values[name] = source.parse(name, parse)
    with noting(problems):
        values['class_names'] = _class_names(source)
    with noting(problems):
        values['gpu_ids'] = _gpu_ids(source)
    with noting(problems):
        values['model_files'] = _model_files(source, model_key, env.input.models_dir)
    return kind(places={str(key): source.where(str(key)) for key in source.values}, **values)


def key_parsers(kind: Type[TaskParams]) -> Mapping[str, Callable[[object], object]]:
    """Return the parser of each key that a task's template has."""
    return {field.name: field.metadata['parse'] for field in dataclasses.fields(kind) if 'parse' in field.metadata}


def _missing(source: YamlMapping, key: str) -> bool:
    value = source.values.get(key)
    return value is None or (isinstance(value, str) and not value.strip())


def _class_names(source: YamlMapping) -> Tuple[str, ...]:
    value = source.values.get('class_names')
    where = source.where('class_names')
    if _missing(source, 'class_names') or value == []:
        raise ConfigError(f'{where}: class_names must list the classes to work on, found {shown(value)}')
    names = source.parse('class_names', parsers.texts)
    # None is left out: the position is the class id of the annotations.
    if len(names) != len(value if isinstance(value, list) else str(value).split(',')):
        raise ConfigError(f'{where}: class_names must be names, none of them empty, found {shown(value)}')
    if max(map(len, names)) > _LONGEST_NAME:
        raise ConfigError(
            f'{where}: class_names must have at most {_LONGEST_NAME} characters each, found {shown(value)}'
        )
    # Names that look the same are the same: blanks side by side, and letters with their accents apart.
    doubled = sorted(name for name, count in Counter(map(_as_seen, names)).items() if count > 1)
    if doubled:
        found = ', '.join(doubled[:5])
        raise ConfigError(f'{where}: class_names must be different from each other, found twice: {found}')
    return names


def _as_seen(name: str) -> str:
    return ' '.join(unicodedata.normalize('NFC', name).split())


def _boxes(value: object) -> None:
    if parsers.text(value) != _BOXES:
        raise ValueError(f'{_BOXES}, detection of boxes (choose another image for anything else)')


def _gpu_ids(source: YamlMapping) -> Tuple[int, ...]:
    no_gpu = not _missing(source, 'gpu_count') and source.parse('gpu_count', parsers.gpu_count) == 0
    return () if no_gpu or _missing(source, 'gpu_id') else source.parse('gpu_id', parsers.gpu_ids)


def _model_files(source: YamlMapping, key: str, models_dir: Path) -> Tuple[Path, ...]:
    """Find the model's files: absolute names are taken as they are (platform 2.0), others lie in `models_dir`."""
    if _missing(source, key):
        return ()
    files = tuple(models_dir / name for name in source.parse(key, parsers.texts))
    lost = [clipped(str(file)) for file in files if not os.path.isfile(file)]  # Path.is_file fails on impossible names
    if lost:
        raise ModelError(
            f'{source.where(key)}: {len(lost)} of {len(files)} files of {key} {"is" if len(lost) == 1 else "are"} not '
            f'there, or may not be read: {listed(lost)}: choose a model whose files the '
            'container sees'
        )
    return files


def _check_class_weights(source: YamlMapping, params: MiningParams) -> None:
    key, allowed = 'class_distribution_scores', len(params.class_names)
    if len(params.class_distribution_scores) > allowed:
        raise ConfigError(
            f'{source.where(key)}: {key} must be at most one number for each of the {allowed} classes '
            f'({clipped(", ".join(params.class_names))}), in this order, found {shown(source.values[key])}'
        )
