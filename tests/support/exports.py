"""Datasets as the platform exports them, the `in` folder of a container, as tasks of a temporary folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from demo.task_folder import write_config
from desk.task_folder import write_env, write_index


def write_task(root: Path, export: Path, *, mining: bool = False, infer: bool = False, **config: Any) -> Path:
    """Write a task below `root` on an export's `in` folder and return its env.yaml: training where none is asked for.

    The export's config.yaml is taken over, `config` goes over it.
    """
    training = not (mining or infer)
    for name in ('train-index.tsv', 'val-index.tsv') if training else ('candidate-index.tsv',):
        lines = (export / name).read_text(encoding='utf-8').splitlines()
        write_index(root, name, [[real_path(export, column) for column in line.split('\t')] for line in lines if line])
    write_config(root, **{**yaml.safe_load((export / 'config.yaml').read_text(encoding='utf-8')), **config})
    # Images and annotations lie in different folders of a dataset.
    dataset = export.parent.parent
    return write_env(root, task_id='export', training=training, mining=mining, infer=infer, assets=dataset)


def real_path(export: Path, path: str) -> Path:
    """Return a container's path, `/in/...`, below the export, where `assets` may be a file that holds its target."""
    part, _, rest = path[len('/in/') :].partition('/')
    folder = export / part
    if folder.is_file():
        folder = (export / folder.read_text(encoding='utf-8').strip()).resolve()
    return folder / rest


def as_export(root: Path) -> Path:
    """Make a task below `root` an export: give its files the paths of a container, and return its `in` folder."""
    for file in (root / 'in').glob('*.*'):
        file.write_text(file.read_text(encoding='utf-8').replace(f'{root}/', '/'), encoding='utf-8')
    return root / 'in'
