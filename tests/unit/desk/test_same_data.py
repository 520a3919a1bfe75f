"""The same data in each layout makes the same task, and its boxes are those of the platform's own exports."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from desk.make import Options, make
from executor.contract.annotations import read_records
from executor.contract.annotations.records import Record
from executor.contract.index import IndexLine, read_training_index
from executor.images.decode import image_size
from tests.support.exports import real_path
from tests.support.layouts import Labelled, write_coco, write_csv, write_voc, write_yolo

NAMES = ('rbc', 'wbc', 'platelets')
PARTS = ('train', 'val')
MADE = ('in/annotations/train.json', 'in/annotations/val.json', 'in/train-index.tsv', 'in/val-index.tsv')

pytestmark = pytest.mark.shared


@pytest.fixture(scope='module')
def bccd(shared_data) -> Path:
    return shared_data / 'bccd'


def exported(bccd: Path, form: str, part: str) -> List[Record]:
    """What the platform exported, as a training reads it."""
    export = bccd / f'training-{form}' / 'in'
    lines = [
        IndexLine(real_path(export, str(line.image)), real_path(export, str(line.annotation)), line.place)
        for line in read_training_index(export / f'{part}-index.tsv')
    ]
    return list(read_records(lines, f'{form}:raw', NAMES))


@pytest.fixture(scope='module')
def labelled(bccd) -> List[Labelled]:
    return [
        Labelled(
            record.image.name,
            image_size(record.image),
            [(NAMES[box.label], box[1:5]) for box in record.boxes],
            part,
            record.image,
        )
        for part in PARTS
        for record in exported(bccd, 'ark', part)
    ]


@pytest.fixture(scope='module')
def made(tmp_path_factory, labelled):
    """The task folder of each layout."""
    root = tmp_path_factory.mktemp('layouts')
    for name in ('voc', 'coco', 'yolo', 'csv'):
        (root / name).mkdir()
    write_voc(root / 'voc', labelled)
    write_coco(root / 'coco', labelled, NAMES)
    write_yolo(root / 'yolo', labelled, NAMES)
    write_csv(root / 'csv', labelled)
    for name in ('voc', 'coco', 'yolo', 'csv'):
        make(Options(name, [root / name], root / f'task-{name}', classes=','.join(NAMES)), 'task')
    return {name: root / f'task-{name}' for name in ('voc', 'coco', 'yolo', 'csv')}


@pytest.mark.parametrize('form', ['ark', 'voc', 'coco'])
@pytest.mark.parametrize('part', PARTS)
def test_boxes_are_those_of_the_platform_s_export(bccd, made, monkeypatch, form, part):
    monkeypatch.chdir(made['voc'])
    records = read_records(read_training_index(Path(f'in/{part}-index.tsv')), 'coco:raw', NAMES)
    ours = {record.image.name: sorted(record.boxes) for record in records}
    theirs = {record.image.name: sorted(record.boxes) for record in exported(bccd, form, part)}
    assert sum(map(len, ours.values())) == {'train': 2805, 'val': 1138}[part]
    assert ours == theirs


@pytest.mark.parametrize('layout', ['coco', 'yolo', 'csv'])
@pytest.mark.parametrize('file', MADE)
def test_all_layouts_make_the_same_files(made, layout, file):
    assert (made[layout] / file).read_bytes() == (made['voc'] / file).read_bytes()
