"""Read env.yaml: which tasks to run, where everything lies, and the platform's protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Type, Union

from executor.contract import parsers
from executor.contract.errors import ConfigError, ExecutorError, noting
from executor.contract.output.monitor import STANDARD_MONITOR_FILE
from executor.contract.yaml_file import YamlMapping, read_yaml_mapping

NO_PROTOCOL = (0, 0)  # platforms before 1.2 write no protocol_version
_LONGEST_PATH, _LONGEST_TASK_ID = 4096, 200  # characters: what Linux takes; more than a container's name can have


def _parse_path(usual: str, value: object) -> Path:
    if not isinstance(value, str) or not value or len(value) > _LONGEST_PATH or '\0' in value:
        raise ValueError(f'a path such as {usual}')
    return Path(value)


def _path(usual: str) -> Path:
    """Make the field of a path; where it usually lies is the example in its message."""
    return field(metadata={'parse': partial(_parse_path, usual)})


def _index(usual: str) -> Optional[Path]:
    """Make the field of an index, None for one that the task does not use."""
    return field(metadata={'parse': lambda value: None if value in (None, '') else _parse_path(usual, value)})


@dataclass(frozen=True)
class InputPaths:
    """The files and folders that the task reads."""

    root_dir: Path = _path('/in')
    assets_dir: Path = _path('/in/assets')
    annotations_dir: Path = _path('/in/annotations')
    models_dir: Path = _path('/in/models')
    config_file: Path = _path('/in/config.yaml')
    training_index_file: Optional[Path] = _index('/in/train-index.tsv')
    val_index_file: Optional[Path] = _index('/in/val-index.tsv')
    candidate_index_file: Optional[Path] = _index('/in/candidate-index.tsv')


@dataclass(frozen=True)
class OutputPaths:
    """The files and folders that the task writes."""

    root_dir: Path = _path('/out')
    models_dir: Path = _path('/out/models')
    tensorboard_dir: Path = _path('/out/tensorboard')
    training_result_file: Path = _path('/out/models/result.yaml')
    mining_result_file: Path = _path('/out/result.tsv')
    infer_result_file: Path = _path('/out/infer-result.json')
    monitor_file: Path = _path(str(STANDARD_MONITOR_FILE))


@dataclass(frozen=True)
class Env:
    """The content of env.yaml; `protocol` is (major, minor), `NO_PROTOCOL` where the platform names none."""

    task_id: str
    protocol: Tuple[int, int]
    run_training: bool
    run_mining: bool
    run_infer: bool
    input: InputPaths
    output: OutputPaths

    @property
    def tasks(self) -> Tuple[str, ...]:
        """Return the names of the tasks to run."""
        asked = {'training': self.run_training, 'mining': self.run_mining, 'inference': self.run_infer}
        return tuple(name for name, runs in asked.items() if runs)


def env_file(option: Optional[str]) -> Path:
    """Find env.yaml: the `--env` option, else the variable DEFAULT_ENV_FILE_PATH, else /in/env.yaml."""
    return Path(option or os.environ.get('DEFAULT_ENV_FILE_PATH') or '/in/env.yaml')


def read_env(path: Path, problems: Optional[List[ExecutorError]] = None) -> Env:
    """Read env.yaml; unknown keys are ignored. With `problems`, all that is wrong but the last is noted there.

    Raises:
        ConfigError: with file and line, the value found and what is expected.
    """
    source = read_yaml_mapping(path)
    values: Dict[str, Any] = {}
    for name, (key, parse) in _FIELDS.items():
        with noting(problems):
            values[name] = source.parse(key, parse)
    inputs = _paths(source, 'input', InputPaths, problems)
    outputs = _paths(source, 'output', OutputPaths, problems)
    if problems:
        raise problems.pop()
    env = Env(**values, input=InputPaths(**inputs), output=OutputPaths(**outputs))
    if not (env.run_training or env.run_mining or env.run_infer):
        raise ConfigError(f'{path}: none of run_training, run_mining and run_infer is true: set the one to run')
    if env.run_training and (env.run_mining or env.run_infer):
        raise ConfigError(f'{source.where("run_training")}: training cannot be combined with mining or inference')
    return env


def _task_id(value: object) -> str:
    # A tab or line break would tear the one record of monitor.txt apart.
    task_id = ' '.join(parsers.text(value, 'a name', _LONGEST_TASK_ID).split())
    if not task_id:
        raise ValueError('a name')
    return task_id


def _protocol(value: object) -> Tuple[int, int]:
    if value is None or value == '':
        return NO_PROTOCOL
    wanted = 'a version such as 1.1.0'
    parts = parsers.text(value, wanted).split('.')
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise ValueError(wanted)
    return int(parts[0]), int(parts[1]) if len(parts) > 1 else 0


def _flag(value: object) -> bool:
    return value is not None and parsers.flag(value)


def _check_section(value: object) -> None:
    if not isinstance(value, dict):
        raise ValueError('a mapping of paths')


# The keys beside the sections, by the field that each fills.
_FIELDS: Dict[str, Tuple[str, Callable[[object], object]]] = {
    'task_id': ('task_id', _task_id),
    'protocol': ('protocol_version', _protocol),
    'run_training': ('run_training', _flag),
    'run_mining': ('run_mining', _flag),
    'run_infer': ('run_infer', _flag),
}


def _paths(
    source: YamlMapping,
    section: str,
    kind: Union[Type[InputPaths], Type[OutputPaths]],
    problems: Optional[List[ExecutorError]],
) -> Dict[str, Any]:
    """Read the section that names each path of `kind`."""
    paths: Dict[str, Any] = {}
    with noting(problems):
        source.parse(section, _check_section)
        for path in fields(kind):
            with noting(problems):
                paths[path.name] = source.parse(f'{section}.{path.name}', path.metadata['parse'])
    return paths
