"""Keep of a task what the platform keeps, release 2.5.0."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

# Of /out, after a task that ended well; the log is what the task printed.
KEPT = ('log.txt', 'monitor.txt', 'monitor-log.txt', 'tensorboard', 'ymir-executor-out.log', 'infer-result.json')
KEPT += ('result.tsv',)


def keep(out: Path, kept: Path) -> Path:
    """Copy what stays of an /out, and the package of a model that was trained, unpacked, in `package`."""
    for name in KEPT:
        if (out / name).is_dir():
            shutil.copytree(out / name, kept / name)
        elif (out / name).is_file():
            shutil.copy2(out / name, kept / name)
    result = out / 'models' / 'result.yaml'
    if result.is_file():
        content = yaml.safe_load(result.read_text(encoding='utf-8'))
        listed = {f'{name}/{file}' for name, stage in content['model_stages'].items() for file in stage['files']}
        sections = content.get('attachments', {}).items()
        listed |= {f'attachments/{section}/{file}' for section, files in sections for file in files}
        for name in listed:
            (kept / 'package' / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(out / 'models' / name, kept / 'package' / name)
    return kept
