"""Write a task folder: images linked, annotations as COCO json, indexes, config.yaml and env.yaml.

COCO is the one of the formats that start.py reads which keeps everything: corners as they are, without the platform's
whole inclusive pixels; crowds, and VOC's difficult, as `iscrowd`; and classes by name, also those without a box. All
paths are below the folder itself, so that it may be moved, and is the same here and in a container.
"""

from __future__ import annotations

import collections
import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Counter, Dict, Iterable, List, Mapping, Sequence

import yaml

from desk.load import Sample
from desk.task_folder import env_values, make_folders, write_index, write_text

_ROOT = Path()  # of the paths in the files
LINKED, COPIED = 'linked', 'copied'
EXPORT_FORMAT = 'coco:raw'


@dataclass(frozen=True)
class Plan:
    """All that a task folder is made of; `parts` are the images of each index by its name, such as `train`."""

    out: Path
    task: str
    class_names: Sequence[str]
    parts: Mapping[str, Sequence[Sample]]
    models: Sequence[Path]
    config: str  # the text of config.yaml


@dataclass
class Written:
    """How the files came there, and the images that have another name there."""

    how: Counter[str] = field(default_factory=collections.Counter)
    renamed: Dict[Path, str] = field(default_factory=dict)


def write_task(plan: Plan) -> Written:
    """Write the folder, which must not be there or be empty; what fails leaves nothing behind."""
    fresh = not plan.out.exists()
    try:
        return _write(plan)
    except BaseException:
        for folder in ('in', 'out') if not fresh else ('',):
            shutil.rmtree(plan.out / folder, ignore_errors=True)
        raise


def _write(plan: Plan) -> Written:
    written = Written()
    make_folders(plan.out)
    names = _names(image.image for samples in plan.parts.values() for image in samples)
    assets = plan.out / 'in' / 'assets'
    for image, name in names.items():
        written.how[_link(image, assets / name)] += 1
        if name != image.name:
            written.renamed[image] = name
    for model in plan.models:
        _link(model, plan.out / 'in' / 'models' / model.name)
    for part, samples in plan.parts.items():
        rows: List[List[object]] = [[_ROOT / 'in' / 'assets' / names[sample.image]] for sample in samples]
        if plan.task == 'training':
            file = Path('in', 'annotations', f'{part}.json')
            coco = _coco(samples, names, plan.class_names)
            write_text(plan.out / file, json.dumps(coco, ensure_ascii=False, separators=(',', ':')))
            rows = [[*row, file] for row in rows]
        write_index(plan.out, f'{part}-index.tsv', rows)
    write_text(plan.out / 'in' / 'config.yaml', plan.config)
    env = env_values(
        _ROOT,
        task_id=plan.out.resolve().name,
        training=plan.task == 'training',
        mining='mining' in plan.task,
        infer='infer' in plan.task,
    )
    write_text(plan.out / 'in' / 'env.yaml', yaml.safe_dump(env, sort_keys=False, allow_unicode=True))
    return written


def _names(images: Iterable[Path]) -> Dict[Path, str]:
    """Give each image a name of its own: the platform and COCO tell images apart by their names alone.

    An index cannot hold tabs and line breaks, nor names that are no UTF-8.
    """
    names: Dict[Path, str] = {}
    taken: Dict[str, Path] = {}
    for image in images:
        if image in names:
            continue
        own = re.sub('[\0-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]', '_', image.name).rstrip()  # which an index cuts off
        name, number = own, 1
        if name in taken:
            name = f'{image.parent.name}_{own}'
        while name in taken:
            number += 1
            name = f'{Path(own).stem}_{number}{Path(own).suffix}'
        names[image] = name
        taken[name] = image
    return names


def _link(source: Path, target: Path) -> str:
    """Give a file a second name; a hard link, since a container does not see where a symbolic one leads.

    Where that cannot be, on another file system or with another's file, it is copied.
    """
    source = Path(os.path.realpath(str(source)))  # Linux would link to a symbolic link itself
    try:
        os.link(str(source), str(target))
    except OSError:
        shutil.copyfile(str(source), str(target))
        return COPIED
    return LINKED


def _coco(samples: Sequence[Sample], names: Mapping[Path, str], class_names: Sequence[str]) -> Dict[str, object]:
    """Make COCO's content of images with their boxes; ids count from 1."""
    images: List[Dict[str, object]] = []
    annotations: List[Dict[str, object]] = []
    for image_id, sample in enumerate(samples, start=1):
        width, height = sample.size
        images.append({'id': image_id, 'file_name': names[sample.image], 'width': width, 'height': height})
        for box in sample.boxes:
            x, y, w, h = map(_short, (box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1))
            annotation = {'id': len(annotations) + 1, 'image_id': image_id, 'category_id': box.label + 1}
            annotations.append({**annotation, 'bbox': [x, y, w, h], 'area': w * h, 'iscrowd': int(box.ignore)})
    categories = [{'id': label, 'name': name} for label, name in enumerate(class_names, start=1)]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def _short(value: float) -> float:
    return int(value) if value == int(value) else value
