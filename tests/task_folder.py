"""A YMIR task as files: `<root>/in` and `<root>/out`, laid out as the platform lays out /in and /out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from executor.contract.env import Env, read_env
from executor.contract.params import Job, read_job

CLASS_NAMES = ('cat', 'dog')


def env_values(
    root: Path,
    *,
    protocol: Any = '1.1.0',
    training: bool = True,
    mining: bool = False,
    infer: bool = False,
    task_id: str = 'task-1',
    assets: Path | None = None,
) -> dict[str, Any]:
    """env.yaml as the platform writes it, with paths below `root`; `protocol=None` leaves the version out.

    `assets`: where the listed images lie, if not below `root`.
    """
    inside, out = root / 'in', root / 'out'
    candidates = mining or infer
    values: dict[str, Any] = {
        'task_id': task_id,
        'run_training': training,
        'run_mining': mining,
        'run_infer': infer,
        'manifest_file': '/img-man/manifest.yaml',
        'input': {
            'root_dir': str(inside),
            'assets_dir': str(assets or inside / 'assets'),
            'annotations_dir': str(inside / 'annotations'),
            'models_dir': str(inside / 'models'),
            'training_index_file': str(inside / 'train-index.tsv') if training else '',
            'val_index_file': str(inside / 'val-index.tsv') if training else '',
            'candidate_index_file': str(inside / 'candidate-index.tsv') if candidates else '',
            'config_file': str(inside / 'config.yaml'),
        },
        'output': {
            'root_dir': str(out),
            'models_dir': str(out / 'models'),
            'tensorboard_dir': str(out / 'tensorboard'),
            'training_result_file': str(out / 'models' / 'result.yaml'),
            'mining_result_file': str(out / 'result.tsv'),
            'infer_result_file': str(out / 'infer-result.json'),
            'monitor_file': str(out / 'monitor.txt'),
            'executor_log_file': str(out / 'ymir-executor-out.log'),
        },
    }
    if protocol is not None:
        values['protocol_version'] = protocol
    return values


def write_env(root: Path, **options: Any) -> Path:
    """Make the folders of a task and write its env.yaml; `options` as for `env_values`."""
    make_folders(root)
    return _write(root / 'in' / 'env.yaml', yaml.safe_dump(env_values(root, **options)))


def write_config(root: Path, **values: Any) -> Path:
    """Write config.yaml: what the platform fills in (two classes, CPU), then `values` over it; None becomes null."""
    reserved = {
        'task_id': 'task-1',
        'class_names': list(CLASS_NAMES),
        'gpu_id': '',
        'gpu_count': 0,
        'object_type': 2,
    }
    return _write(root / 'in' / 'config.yaml', yaml.safe_dump({**reserved, **values}, sort_keys=False))


def write_index(root: Path, name: str, rows: Iterable[Iterable[object]]) -> Path:
    """Write an index file, a row an image: (image, annotation) for training, (image,) for candidates."""
    return _write(root / 'in' / name, ''.join('\t'.join(str(column) for column in row) + '\n' for row in rows))


def add_image(root: Path, name: str, data: bytes = b'') -> Path:
    path = root / 'in' / 'assets' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def add_annotation(root: Path, name: str, text: str = '') -> Path:
    return _write(root / 'in' / 'annotations' / name, text)


def add_model_file(root: Path, name: str, data: bytes = b'') -> Path:
    path = root / 'in' / 'models' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def make_folders(root: Path) -> None:
    for folder in ('in/assets', 'in/annotations', 'in/models', 'out/models', 'out/tensorboard'):
        (root / folder).mkdir(parents=True, exist_ok=True)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def line_of(path: Path, start: str) -> int:
    """The number, from 1, of the one line that begins with `start`, blanks before it aside."""
    lines = path.read_text(encoding='utf-8').split('\n')
    (number,) = [number for number, line in enumerate(lines, start=1) if line.strip().startswith(start)]
    return number


class TaskFolder:
    """The same for one folder, for tests: `read_env` and `read_job` of what was written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        make_folders(root)

    @property
    def models_dir(self) -> Path:
        return self.root / 'out' / 'models'

    @property
    def monitor_file(self) -> Path:
        return self.root / 'out' / 'monitor.txt'

    @property
    def config_file(self) -> Path:
        return self.root / 'in' / 'config.yaml'

    def env(self, *tasks: str, protocol: Any = '1.1.0', task_id: str = 'task-1') -> Env:
        """env.yaml that asks for `tasks` ('training', 'mining', 'infer'; training where none is named), read."""
        flags = {task: task in (tasks or ('training',)) for task in ('training', 'mining', 'infer')}
        return read_env(write_env(self.root, protocol=protocol, task_id=task_id, **flags))

    def job(self, *tasks: str, **config: Any) -> Job:
        """The same with a config.yaml of `config`, read."""
        write_config(self.root, **config)
        return read_job(self.env(*tasks))

    def write(self, name: str, text: str) -> Path:
        """A file of any content below the root."""
        return _write(self.root / name, text)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
    return path
