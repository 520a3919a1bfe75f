"""Read env.yaml: which tasks to run, where everything lies, and the platform's protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Tuple

from executor.contract import parsers
from executor.contract.errors import ConfigError
from executor.contract.shown import shown
from executor.contract.yaml_file import YamlMapping, read_yaml_mapping

STANDARD_ENV_FILE = Path('/in/env.yaml')
STANDARD_MONITOR_FILE = Path('/out/monitor.txt')  # used when env.yaml itself cannot be read
NO_PROTOCOL = (0, 0)  # platforms before 1.2 write no protocol_version


@dataclass(frozen=True)
class InputPaths:
    """The files and folders that the task reads; an index file that it does not use is None."""

    root_dir: Path
    assets_dir: Path
    annotations_dir: Path
    models_dir: Path
    config_file: Path
    training_index_file: Optional[Path]
    val_index_file: Optional[Path]
    candidate_index_file: Optional[Path]


@dataclass(frozen=True)
class OutputPaths:
    """The files and folders that the task writes."""

    root_dir: Path
    models_dir: Path
    tensorboard_dir: Path
    training_result_file: Path
    mining_result_file: Path
    infer_result_file: Path
    monitor_file: Path


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


def env_file(option: Optional[str], environ: Mapping[str, str] = os.environ) -> Path:
    """Find env.yaml: the `--env` option, else the variable DEFAULT_ENV_FILE_PATH, else /in/env.yaml."""
    return Path(option or environ.get('DEFAULT_ENV_FILE_PATH') or STANDARD_ENV_FILE)


def read_env(path: Path) -> Env:
    """Read env.yaml; unknown keys are ignored.

    Raises:
        ConfigError: with file and line, the value found and what is expected.
    """
    source = read_yaml_mapping(path)
    env = Env(
        task_id=_text(source, 'task_id'),
        protocol=_protocol(source),
        run_training=_flag(source, 'run_training'),
        run_mining=_flag(source, 'run_mining'),
        run_infer=_flag(source, 'run_infer'),
        input=_input_paths(source),
        output=_output_paths(source),
    )
    if not (env.run_training or env.run_mining or env.run_infer):
        raise ConfigError(f'{path}: none of run_training, run_mining and run_infer is true: set the one to run')
    if env.run_training and (env.run_mining or env.run_infer):
        raise ConfigError(f'{source.where("run_training")}: training cannot be combined with mining or inference')
    return env


def _input_paths(source: YamlMapping) -> InputPaths:
    def optional(key: str, usual: str) -> Optional[Path]:
        return _path(source, key, usual) if _lookup(source, key) else None

    return InputPaths(
        root_dir=_path(source, 'input.root_dir', '/in'),
        assets_dir=_path(source, 'input.assets_dir', '/in/assets'),
        annotations_dir=_path(source, 'input.annotations_dir', '/in/annotations'),
        models_dir=_path(source, 'input.models_dir', '/in/models'),
        config_file=_path(source, 'input.config_file', '/in/config.yaml'),
        training_index_file=optional('input.training_index_file', '/in/train-index.tsv'),
        val_index_file=optional('input.val_index_file', '/in/val-index.tsv'),
        candidate_index_file=optional('input.candidate_index_file', '/in/candidate-index.tsv'),
    )


def _output_paths(source: YamlMapping) -> OutputPaths:
    return OutputPaths(
        root_dir=_path(source, 'output.root_dir', '/out'),
        models_dir=_path(source, 'output.models_dir', '/out/models'),
        tensorboard_dir=_path(source, 'output.tensorboard_dir', '/out/tensorboard'),
        training_result_file=_path(source, 'output.training_result_file', '/out/models/result.yaml'),
        mining_result_file=_path(source, 'output.mining_result_file', '/out/result.tsv'),
        infer_result_file=_path(source, 'output.infer_result_file', '/out/infer-result.json'),
        monitor_file=_path(source, 'output.monitor_file', str(STANDARD_MONITOR_FILE)),
    )


def _lookup(source: YamlMapping, key: str) -> object:
    section, _, name = key.rpartition('.')
    if not section:
        return source.values.get(name)
    mapping = source.values.get(section)
    if not isinstance(mapping, dict):
        raise ConfigError(f'{source.where(section)}: {section} must be a mapping of paths, found {shown(mapping)}')
    return mapping.get(name)


def _path(source: YamlMapping, key: str, usual: str) -> Path:
    value = _lookup(source, key)
    if not isinstance(value, str) or not value or '\0' in value:
        raise ConfigError(f'{source.where(key)}: {key} must be a path such as {usual}, found {shown(value)}')
    return Path(value)


def _text(source: YamlMapping, key: str) -> str:
    value = _lookup(source, key)
    if value is None or isinstance(value, (dict, list)) or not str(value).strip():
        raise ConfigError(f'{source.where(key)}: {key} must be a name, found {shown(value)}')
    # A tab or line break would tear the one record of monitor.txt apart.
    return ' '.join(str(value).split())


def _flag(source: YamlMapping, key: str) -> bool:
    value = _lookup(source, key)
    if value is None:
        return False
    try:
        return parsers.flag(value)
    except ValueError as error:
        raise ConfigError(f'{source.where(key)}: {key} must be {error}, found {shown(value)}')


def _protocol(source: YamlMapping) -> Tuple[int, int]:
    value = source.values.get('protocol_version')
    if value is None or value == '':
        return NO_PROTOCOL
    parts = [] if isinstance(value, (dict, list)) else str(value).split('.')
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise ConfigError(
            f'{source.where("protocol_version")}: protocol_version must be a version such as 1.1.0, '
            f'found {shown(value)}'
        )
    return int(parts[0]), int(parts[1]) if len(parts) > 1 else 0
