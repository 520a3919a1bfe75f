"""A sound task of each kind, as files, and the small ways to break it."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

import yaml

from demo import shapes
from demo.task_folder import add_model_file
from desk.task_folder import write_bytes

CONFIG = 'yolox_nano_8x8_300e_coco.py'
PACKAGE = 'in/models/epoch_1'
WEIGHTS = f'{PACKAGE}/epoch_1.pth'
SIDE = 96  # pixels of the network's input
REMOVED = object()  # as a value: the key goes away

TRAINING, INFERENCE, MINING = 'training', 'inference', 'mining'

_TRAINING_IMAGES = ('train-1', 'train-2', 'train-3', 'train-4', 'val-1', 'val-2')


class Task:
    """The files of one task on a few drawn shapes below `root`, to be broken.

    Attributes:
        root: the folder that holds `in` and `out`.
        kind: TRAINING, INFERENCE or MINING.
        canary: a file that appears when something of the task was executed.
    """

    def __init__(self, root: Path, kind: str, model: Optional[Path] = None) -> None:
        """`model`: folder of a sound model package with epoch_1.pth and its config, None where only names matter."""
        self.root = root
        self.kind = kind
        self.canary = root / 'canary'
        for name in ('epoch_1.pth', CONFIG):
            data = (model / name).read_bytes() if model else b'stands for a file of a model\n'
            add_model_file(root, f'epoch_1/{name}', data)
        values: Dict[str, Any] = {'samples_per_gpu': 2, 'workers_per_gpu': 0}
        if kind == TRAINING:
            values.update(max_epochs=1, config_file=shapes.CONFIG_FILE, cfg_options=shapes.size_options(SIDE, spread=0))
            shapes.write_task(root, 4, 2, **values)
            return
        values.update(model_params_path=[str(self.path(WEIGHTS)), str(self.path(f'{PACKAGE}/{CONFIG}'))])
        if kind == MINING:
            values.update(mining_algorithm='entropy')
        shapes.write_candidates_task(root, 2, mining=kind == MINING, infer=kind == INFERENCE, **values)

    @property
    def env_file(self) -> Path:
        return self.path('in/env.yaml')

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, content: Any) -> None:
        write_bytes(self.path(name), content if isinstance(content, bytes) else content.encode('utf-8'))

    def read(self, name: str) -> str:
        return self.path(name).read_text(encoding='utf-8')

    def update_yaml(self, name: str, values: Mapping[str, Any]) -> None:
        """Change keys, dotted for nested ones; REMOVED takes one away."""
        content = yaml.safe_load(self.read(name))
        for key, value in values.items():
            section, _, last = key.rpartition('.')
            place = content[section] if section else content
            if value is REMOVED:
                del place[last]
            else:
                place[last] = value
        self.write(name, yaml.safe_dump(content, sort_keys=False))

    def list_annotations(self, name: str) -> None:
        r"""List annotations of another name, in which \1 stands for that of the image."""
        for index in ('in/train-index.tsv', 'in/val-index.tsv'):
            self.write(index, re.sub(r'/annotations/(\S+)\.txt', f'/annotations/{name}', self.read(index)))


# --- changes --------------------------------------------------------------------------------------------------------

Change = Callable[[Task], None]


def change(function: Callable[..., None]) -> Callable[..., Change]:
    """Make a function of a task and more one of the rest, which returns what changes a task."""
    return functools.wraps(function)(lambda *rest, **named: lambda task: function(task, *rest, **named))


@change
def changes(task: Task, *several: Change) -> None:
    """One after the other."""
    for one in several:
        one(task)


@change
def config(task: Task, **values: Any) -> None:
    """Keys of config.yaml; '{root}' in a text becomes the task's folder."""
    task.update_yaml('in/config.yaml', placed(task, values))


@change
def options(task: Task, *more: str) -> None:
    """Words added to cfg_options."""
    known = yaml.safe_load(task.read('in/config.yaml')).get('cfg_options', '')
    config(cfg_options=' '.join([known, *more]))(task)


@change
def env(task: Task, values: Mapping[str, Any]) -> None:
    """Keys of env.yaml, dotted for nested ones."""
    task.update_yaml('in/env.yaml', placed(task, values))


@change
def content(task: Task, name: str, new: Any) -> None:
    """Another content of a file, text or bytes."""
    task.write(name, placed(task, new))


@change
def more_lines(task: Task, name: str, *lines: str) -> None:
    """Lines added at the end of a file."""
    task.write(name, task.read(name) + ''.join(placed(task, line) + '\n' for line in lines))


@change
def removed(task: Task, *names: str) -> None:
    for name in names:
        task.path(name).unlink()


@change
def folder(task: Task, name: str) -> None:
    """A folder in the place of a file."""
    if task.path(name).is_file():
        task.path(name).unlink()
    task.path(name).mkdir(parents=True)


@change
def pipe(task: Task, name: str) -> None:
    """A pipe in the place of a file: who opens it waits for ever."""
    task.path(name).unlink()
    os.mkfifo(task.path(name))


@change
def file_for_folder(task: Task, name: str) -> None:
    """A file in the place of a folder."""
    shutil.rmtree(task.path(name))
    task.write(name, 'a file\n')


@change
def replaced(task: Task, name: str, old: str, new: str) -> None:
    text = task.read(name)
    assert old in text, f'{name} has no {old!r}'
    task.write(name, text.replace(old, placed(task, new)))


@change
def annotated_in_voc(task: Task, first: Any) -> None:
    """Annotations in VOC, that of train-1 being `first`."""
    sound = '<annotation><object><name>circle</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>80</xmax>'
    for image in _TRAINING_IMAGES:
        task.write(f'in/annotations/{image}.xml', sound + '<ymax>70</ymax></bndbox></object></annotation>\n')
    task.write('in/annotations/train-1.xml', first)
    task.list_annotations(r'\1.xml')
    config(export_format='voc:raw')(task)


@change
def annotated_in_coco(task: Task, spoil: Callable[[Dict[str, Any]], Any]) -> None:
    """Annotations in COCO; `spoil` changes the object, or returns the text to write instead."""
    numbers = range(1, len(_TRAINING_IMAGES) + 1)
    data: Dict[str, Any] = {
        'images': [
            {'id': number, 'file_name': f'{image}.jpg', 'width': shapes.SIDE, 'height': shapes.SIDE}
            for number, image in zip(numbers, _TRAINING_IMAGES)
        ],
        'annotations': [{'id': n, 'image_id': n, 'category_id': 0, 'bbox': [9, 9, 72, 62]} for n in numbers],
        'categories': [{'id': number, 'name': name} for number, name in enumerate(shapes.CLASS_NAMES)],
    }
    text = spoil(data)
    task.write('in/annotations/coco-annotations.json', text if isinstance(text, str) else json.dumps(data))
    task.list_annotations('coco-annotations.json')
    config(export_format='coco:raw')(task)


@change
def many_candidates(task: Task, count: int) -> None:
    """A long index of the same images, so that a task takes its time."""
    lines = task.read('in/candidate-index.tsv').splitlines()
    task.write('in/candidate-index.tsv', ''.join(f'{lines[n % len(lines)]}\n' for n in range(count)))


def placed(task: Task, value: Any) -> Any:
    """The value with the task's folder for '{root}' in its texts."""
    if isinstance(value, str):
        return value.replace('{root}', str(task.root))
    if isinstance(value, dict):
        return {key: placed(task, item) for key, item in value.items()}
    return [placed(task, item) for item in value] if isinstance(value, list) else value
