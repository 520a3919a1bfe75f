"""A sound task of each kind, as files, and the small ways to break it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping

import cv2
import numpy as np
import yaml

from executor.local import shapes
from executor.local.task_folder import env_values, make_folders, write_config, write_index

CONFIG = 'yolox_nano_8x8_300e_coco.py'
PACKAGE = 'in/models/epoch_1'
WEIGHTS = f'{PACKAGE}/epoch_1.pth'
SIDE = 96  # pixels of the network's input
SMALL_TEST = f'test_dataloader.dataset.pipeline.1.scale=({SIDE},{SIDE})'
SMALL_TRAINING = shapes.size_options(SIDE).replace(f'({SIDE - 64},{SIDE + 64})', f'({SIDE},{SIDE})')
REMOVED = object()  # as a value: the key goes away

TRAINING, INFERENCE, MINING = 'training', 'inference', 'mining'

_IMAGES = {'training': ('train-1', 'train-2', 'train-3', 'train-4', 'val-1', 'val-2'), 'other': ('new-1', 'new-2')}


class Task:
    """The files of one task below `root`, to be broken.

    Attributes:
        root: the folder that holds `in` and `out`.
        kind: TRAINING, INFERENCE or MINING.
        model: folder of a sound model package with epoch_1.pth and its config, None where only names matter.
        canary: a file that appears when something of the task was executed.
    """

    def __init__(self, root: Path, kind: str, model: Any = None) -> None:
        self.root = root
        self.kind = kind
        self.model = model
        self.canary = root / 'canary'
        make_folders(root)
        self._write_images()
        self._write_package()
        self._write_settings()

    @property
    def env_file(self) -> Path:
        return self.root / 'in' / 'env.yaml'

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, content: Any) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode('utf-8'))

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding='utf-8')

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

    def _write_images(self) -> None:
        names = _IMAGES['training' if self.kind == TRAINING else 'other']
        rng = np.random.default_rng(0)
        for name in names:
            image, boxes = shapes.draw(rng)
            self.write(f'in/assets/{name}.jpg', cv2.imencode('.jpg', image)[1].tobytes())
            lines = ''.join(', '.join(str(value) for value in box) + '\n' for box in boxes)
            if self.kind == TRAINING:
                self.write(f'in/annotations/{name}.txt', lines)
        if self.kind == TRAINING:
            self.write_training_indexes('txt')
        else:
            write_index(self.root, 'candidate-index.tsv', [[self.path(f'in/assets/{name}.jpg')] for name in names])

    def write_training_indexes(self, suffix: str, one: str = '') -> None:
        """An annotation for each image, or `one` for all."""
        for part in ('train', 'val'):
            names = [name for name in _IMAGES['training'] if name.startswith(part)]
            rows = [
                (self.path(f'in/assets/{name}.jpg'), self.path(f'in/annotations/{one or f"{name}.{suffix}"}'))
                for name in names
            ]
            write_index(self.root, f'{part}-index.tsv', rows)

    def _write_package(self) -> None:
        for name in ('epoch_1.pth', CONFIG):
            if self.model is None:
                self.write(f'{PACKAGE}/{name}', 'stands for a file of a model\n')
            else:
                self.path(PACKAGE).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.model / name, self.path(f'{PACKAGE}/{name}'))

    def _write_settings(self) -> None:
        tasks = {'training': self.kind == TRAINING, 'mining': self.kind == MINING, 'infer': self.kind == INFERENCE}
        self.write('in/env.yaml', yaml.safe_dump(env_values(self.root, task_id='task-1', **tasks), sort_keys=False))
        values: Dict[str, Any] = {'class_names': list(shapes.CLASS_NAMES), 'samples_per_gpu': 2, 'workers_per_gpu': 0}
        if self.kind == TRAINING:
            values.update(max_epochs=1, config_file=shapes.CONFIG_FILE, cfg_options=SMALL_TRAINING)
        else:
            values.update(model_params_path=[str(self.path(WEIGHTS)), str(self.path(f'{PACKAGE}/{CONFIG}'))])
        if self.kind == MINING:
            values.update(mining_algorithm='entropy')
        write_config(self.root, **values)


# --- changes --------------------------------------------------------------------------------------------------------

Change = Callable[[Task], None]


def changes(*several: Change) -> Change:
    """One after the other."""

    def change(task: Task) -> None:
        for one in several:
            one(task)

    return change


def config(**values: Any) -> Change:
    """Keys of config.yaml; '{root}' in a text becomes the task's folder."""
    return lambda task: task.update_yaml('in/config.yaml', {key: _placed(task, v) for key, v in values.items()})


def options(*more: str) -> Change:
    """Words added to cfg_options."""

    def change(task: Task) -> None:
        known = yaml.safe_load(task.read('in/config.yaml')).get('cfg_options', '')
        task.update_yaml('in/config.yaml', {'cfg_options': ' '.join([known, *(_placed(task, word) for word in more)])})

    return change


def env(values: Mapping[str, Any]) -> Change:
    """Keys of env.yaml, dotted for nested ones."""
    return lambda task: task.update_yaml('in/env.yaml', {key: _placed(task, v) for key, v in values.items()})


def content(name: str, new: Any) -> Change:
    """Another content of a file, text or bytes."""
    return lambda task: task.write(name, _placed(task, new))


def more_lines(name: str, *lines: str) -> Change:
    """Lines added at the end of a file."""
    return lambda task: task.write(name, task.read(name) + ''.join(_placed(task, line) + '\n' for line in lines))


def removed(*names: str) -> Change:
    def change(task: Task) -> None:
        for name in names:
            task.path(name).unlink()

    return change


def folder(name: str) -> Change:
    """A folder in the place of a file."""

    def change(task: Task) -> None:
        if task.path(name).is_file():
            task.path(name).unlink()
        task.path(name).mkdir(parents=True)

    return change


def file_for_folder(name: str) -> Change:
    """A file in the place of a folder."""

    def change(task: Task) -> None:
        shutil.rmtree(task.path(name))
        task.write(name, 'a file\n')

    return change


def replaced(name: str, old: str, new: str) -> Change:
    def change(task: Task) -> None:
        text = task.read(name)
        assert old in text, f'{name} has no {old!r}'
        task.write(name, text.replace(old, _placed(task, new)))

    return change


def annotated_in_voc(first: Any, name: str = 'train-1') -> Change:
    """Annotations in VOC, that of one image being `first`."""

    def change(task: Task) -> None:
        sound = '<annotation><object><name>circle</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>80</xmax>'
        for image in _IMAGES['training']:
            task.write(f'in/annotations/{image}.xml', sound + '<ymax>70</ymax></bndbox></object></annotation>\n')
        task.write(f'in/annotations/{name}.xml', first)
        task.write_training_indexes('xml')
        config(export_format='voc:raw')(task)

    return change


def annotated_in_coco(spoil: Callable[[Dict[str, Any]], Any]) -> Change:
    """Annotations in COCO; `spoil` changes the object, or returns the text to write instead."""

    def change(task: Task) -> None:
        data: Dict[str, Any] = {
            'images': [
                {'id': number, 'file_name': f'{image}.jpg', 'width': shapes.SIDE, 'height': shapes.SIDE}
                for number, image in enumerate(_IMAGES['training'], start=1)
            ],
            'annotations': [
                {'id': number, 'image_id': number, 'category_id': 0, 'bbox': [9, 9, 72, 62]}
                for number in range(1, len(_IMAGES['training']) + 1)
            ],
            'categories': [{'id': number, 'name': name} for number, name in enumerate(shapes.CLASS_NAMES)],
        }
        text = spoil(data)
        task.write('in/annotations/coco-annotations.json', text if isinstance(text, str) else json.dumps(data))
        task.write_training_indexes('', one='coco-annotations.json')
        config(export_format='coco:raw')(task)

    return change


def many_candidates(count: int) -> Change:
    """A long index of the same images, so that a task takes its time."""

    def change(task: Task) -> None:
        lines: List[str] = task.read('in/candidate-index.tsv').splitlines()
        task.write('in/candidate-index.tsv', ''.join(f'{lines[n % len(lines)]}\n' for n in range(count)))

    return change


def _placed(task: Task, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace('{root}', str(task.root))
    return [_placed(task, item) for item in value] if isinstance(value, list) else value
