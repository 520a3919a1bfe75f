"""The platform's own exports in `shared/data` as tasks of a temporary folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from executor.local.task_folder import write_config, write_env, write_index


def write_task(root: Path, export: Path, **config: Any) -> Path:
    """A training task below `root` on the images of an export's `in` folder; returns its env.yaml.

    The export's config.yaml is taken over, `config` goes over it.
    """
    for split in ('train', 'val'):
        index = (export / f'{split}-index.tsv').read_text(encoding='utf-8')
        rows = [[real_path(export, column) for column in line.split('\t')] for line in index.splitlines() if line]
        write_index(root, f'{split}-index.tsv', rows)
    write_config(root, **{**yaml.safe_load((export / 'config.yaml').read_text(encoding='utf-8')), **config})
    return write_env(root, task_id='export', assets=export.parent.parent)


def write_candidates_task(root: Path, export: Path, *, mining: bool = False, infer: bool = True, **config: Any) -> Path:
    """A mining or inference task below `root` on the candidates of an export's `in` folder; returns its env.yaml."""
    lines = (export / 'candidate-index.tsv').read_text(encoding='utf-8').splitlines()
    write_index(root, 'candidate-index.tsv', [[real_path(export, line)] for line in lines if line])
    write_config(root, **{**yaml.safe_load((export / 'config.yaml').read_text(encoding='utf-8')), **config})
    options = {'training': False, 'mining': mining, 'infer': infer}
    return write_env(root, task_id='export', assets=export.parent.parent, **options)


def real_path(export: Path, path: str) -> Path:
    """A path of the container, `/in/...`, below the export; `assets` is a link, or a file that holds its target."""
    part, _, rest = path[len('/in/') :].partition('/')
    folder = export / part
    if folder.is_file():
        folder = (export / folder.read_text(encoding='utf-8').strip()).resolve()
    return folder / rest
