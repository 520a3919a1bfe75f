"""Write a YMIR task as files: `<root>/in` and `<root>/out`, laid out as the platform lays out /in and /out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml


def env_values(
    root: Path,
    *,
    protocol: object = '1.1.0',
    training: bool = True,
    mining: bool = False,
    infer: bool = False,
    task_id: str = 'task-1',
    assets: Path | None = None,
) -> dict[str, object]:
    """Return env.yaml as the platform writes it, with paths below `root`, which is / in a container.

    `protocol=None` leaves the version out. `assets`: where the listed images lie, if not below `root`.
    """
    inside, out = root / 'in', root / 'out'
    candidates = mining or infer
    values: dict[str, object] = {
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
    return write_text(root / 'in' / 'env.yaml', yaml.safe_dump(env_values(root, **options), sort_keys=False))


def write_index(root: Path, name: str, rows: Iterable[Iterable[object]]) -> Path:
    """Write an index file, a row an image: (image, annotation) for training, (image,) for candidates."""
    return write_text(root / 'in' / name, ''.join('\t'.join(str(column) for column in row) + '\n' for row in rows))


def make_folders(root: Path) -> None:
    for folder in ('in/assets', 'in/annotations', 'in/models', 'out/models', 'out/tensorboard'):
        (root / folder).mkdir(parents=True, exist_ok=True)


def write_text(path: Path, text: str) -> Path:
    return write_bytes(path, text.encode('utf-8'))


def write_bytes(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
