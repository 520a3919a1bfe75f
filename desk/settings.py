"""Write config.yaml of a task: the image's templates, with the user's settings in the place of their defaults."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from desk.usage import UsageError
from executor.config.find import REPOSITORY
from executor.contract.config_yaml import key_parsers
from executor.contract.params import InferParams, MiningParams, TrainParams
from executor.contract.shown import shown

TASKS = ('training', 'mining', 'infer', 'mining+infer')
_PARAMS = {'training': TrainParams, 'mining': MiningParams, 'infer': InferParams}
_KEY = re.compile(r'(\w+):')

# What a task folder has one value for, and where that comes from.
MADE = {
    'export_format': 'annotations are written as coco:raw',
    'class_names': 'they come from the dataset, or from --classes',
    'gpu_id': 'say --gpu',
    'gpu_count': 'say --gpu',
    'pretrained_model_params': 'say --weights',
    'model_params_path': 'say --weights',
    'object_type': 'it is always boxes',
}


def parsed_settings(given: Sequence[str], task: str) -> Dict[str, str]:
    """Read `key=value` texts, and check each key and value as the task itself will.

    Raises:
        UsageError: a key is unknown, or its value is not one that it may have.
    """
    parsers: Dict[str, Callable[[object], object]] = {}
    for name in task.split('+'):
        parsers.update(key_parsers(_PARAMS[name]))
    settings: Dict[str, str] = {}
    for item in given:
        key, equals, value = item.partition('=')
        if not equals:
            raise UsageError(f'--set {shown(item)}: expected key=value, such as max_epochs=20')
        if key in MADE:
            raise UsageError(f'--set {key}: {MADE[key]}')
        if key not in parsers:
            near = difflib.get_close_matches(key, parsers, n=3) or sorted(parsers)
            raise UsageError(f'--set {key}: no parameter of {task} is called so: use one of {", ".join(near)}')
        if value.strip():
            try:
                parsers[key](value)
            except ValueError as error:
                raise UsageError(f'--set {key}={value}: {key} must be {error}, found {shown(value)}')
        settings[key] = value
    return settings


def config_text(task: str, settings: Mapping[str, str], filled_in: Mapping[str, object]) -> str:
    """Write the templates of a task with their comments; what the platform fills in stands at the end."""
    lines: List[str] = []
    for key, block in _blocks(task).items():
        lines += [*block[:-1], f'{key}: {_scalar(settings[key])}' if key in settings else block[-1]]
    lines += ['# What the platform fills in.']
    lines += [f'{key}: {json.dumps(value, ensure_ascii=False)}' for key, value in filled_in.items()]
    return ''.join(f'{line}\n' for line in lines)


def _blocks(task: str) -> Dict[str, List[str]]:
    """Return the line of each key of the templates with the comments above it; of both tasks a key stands once."""
    blocks: Dict[str, List[str]] = {}
    for name in task.split('+'):
        block: List[str] = []
        for line in (REPOSITORY / f'{name}-template.yaml').read_text(encoding='utf-8').splitlines():
            block.append(line)
            key = _KEY.match(line)
            if key:
                blocks.setdefault(key.group(1), block)
                block = []
    return blocks


def _scalar(text: str) -> str:
    """Write a value for YAML: numbers and flags as they are, anything else in quotation marks."""
    plain = re.fullmatch(r'-?\d+(\.\d+)?|true|false', text, re.ASCII)
    return text if plain else json.dumps(text)  # a JSON string is one of YAML, too


def gpu_settings(given: Optional[str]) -> Tuple[Dict[str, object], str]:
    """Return gpu_id and gpu_count, and a sentence on them: those that are named, else the first that is seen here."""
    seen = len(list(Path('/dev').glob('nvidia[0-9]*')))
    if given is None:
        ids = '0' if seen else ''
        told = (
            'GPU 0 (--gpu 0,1 for more, --gpu none for the CPU)' if seen else 'the CPU (no GPU is seen here; --gpu 0)'
        )
    else:
        ids = '' if given == 'none' else given
        told = f'GPU {ids}' if ids else 'the CPU'
    return {'gpu_id': ids, 'gpu_count': len(ids.split(',')) if ids else 0}, told


def gpu_list(text: str) -> str:
    """Parse the argument of --gpu."""
    if text == 'none' or re.fullmatch(r'\d{1,4}(,\d{1,4})*', text, re.ASCII):
        return text
    raise UsageError(f'--gpu must be GPU numbers with commas between them, such as 0,1, or none, found {shown(text)}')
