"""Tell what a task that is done has left: its table, and the files a person looks at or goes on with."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import List, Sequence

import yaml

from executor.contract.env import Env

_FILES = {
    'infer-result.json': 'boxes of every image',
    'infer-examples.jpg': 'some images with their boxes',
    'tensorboard/infer.html': 'page of the inference',
    'result.tsv': 'images with their scores, most worth labelling first',
    'mining-examples.jpg': 'images of the highest and of the lowest scores',
    'tensorboard/mining.html': 'page of the mining',
}
_TIME_AND_LEVEL = re.compile(r'^\S+ \S+ [A-Z]+ ')


def told_results(folder: Path, env: Env, log: str) -> Sequence[str]:
    """Return the lines to tell of a task in a folder: the last table of its log, then what it wrote and where."""
    output = env.output
    lines = _last_table(log)
    if env.run_training:
        result = yaml.safe_load((folder / output.training_result_file).read_text(encoding='utf-8'))
        best = result['best_stage_name']
        files = ', '.join(result['model_stages'][best]['files'])
        lines += [
            f'mAP (AP at IoU 0.5): {result["mAP"]:.3f}, of {best}',
            f'model: {folder / output.models_dir / best}/ ({files})',
        ]
        for section, names in (result.get('attachments') or {}).items():
            lines += (f'{section}: {folder / output.models_dir / "attachments" / section / name}' for name in names)
        # Beside Python, which in a checkout is not where a shell looks.
        program = Path(sys.executable).with_name('tensorboard')
        tensorboard = os.path.relpath(program)
        tensorboard = str(program) if tensorboard.startswith('..') else tensorboard
        return [*lines, f'curves: {tensorboard} --logdir {folder / output.tensorboard_dir}']
    found = {words: folder / output.root_dir / name for name, words in _FILES.items()}
    return [*lines, *(f'{words}: {file}' for words, file in found.items() if file.is_file())]


def _last_table(log: str) -> List[str]:
    """Return the last table of a log with its heading: every task ends with one, if it found anything."""
    table: List[str] = []
    before = ''
    for line in log.splitlines():
        if line[:1] in ('+', '|'):
            inside = before[:1] in ('+', '|')
            table = [*table, line] if inside else [_TIME_AND_LEVEL.sub('', before), line]
        before = line
    return table
