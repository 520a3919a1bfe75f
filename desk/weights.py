"""Find the files of a model for a task, and what they say of themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import yaml

from desk.usage import UsageError
from executor.config.find import our_configs
from executor.contract.shown import listed
from executor.log import quiet


def model_files(places: Sequence[Path], called: str = '--weights ') -> Tuple[Path, ...]:
    """Return files as they are, of a task folder those of its best stage, of any other folder all in it.

    `called` stands before a place in messages.

    Raises:
        UsageError: there are none, or two have one name.
    """
    files: List[Path] = []
    for place in places:
        found = [place] if place.is_file() else _files(place, called)
        if not found:
            raise UsageError(f'{called}{place} holds no file: name weights, a stage of a training, or a task folder')
        files += found
    names = [file.name for file in files]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UsageError(f'{called}names several files called {listed(doubled)}: leave one, or rename it')
    return tuple(files)


def _files(folder: Path, called: str) -> Sequence[Path]:
    result = folder / 'out' / 'models' / 'result.yaml'
    if not result.is_file():
        if (folder / 'in' / 'env.yaml').is_file():
            raise UsageError(f'{called}{folder} is a task that has left no model: run it first')
        return sorted(file for file in folder.iterdir() if file.is_file())
    try:
        content = yaml.safe_load(result.read_text(encoding='utf-8'))
        best = content['best_stage_name']
        return [result.parent / best / name for name in content['model_stages'][best]['files']]
    except (yaml.YAMLError, LookupError, TypeError):
        raise UsageError(f'{called}{folder}: {result} lists no stage: name the files of the model themselves')


def class_names_in(files: Sequence[Path]) -> Optional[Tuple[str, ...]]:
    """Read the class names that the weights hold; None where they hold none.

    Raises:
        ModelError: the weights cannot be read.
    """
    with quiet():  # torch and mmdet, which take their time
        from executor.weights.checkpoint import class_names_of, read_checkpoint
        from executor.weights.choose import best_weights

    weights = best_weights(files)
    return None if weights is None else class_names_of(read_checkpoint(weights))


def config_in(files: Sequence[Path]) -> Optional[str]:
    """Name the config that the files come with, or the one of ours that the name of the weights begins with.

    `yolox_nano_coco.pth` is of `configs/yolox/yolox_nano_8x8_300e_coco.py`.
    """
    packaged = [file.name for file in files if file.suffix == '.py']
    if packaged or not files:
        return packaged[0] if len(packaged) == 1 else None
    with quiet():
        from executor.weights.choose import architecture

    fitting = [
        config
        for config in our_configs()
        for file in files
        if re.match(re.escape(architecture(config)) + r'([_.-]|$)', file.name)
    ]
    return max(fitting, key=len, default=None)
