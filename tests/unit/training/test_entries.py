"""A dataset is read by several processes as by one, and once."""

from __future__ import annotations

import functools
import json
import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from executor.contract import annotations
from executor.contract.annotations.records import TrueBox
from executor.contract.errors import DatasetError, OutOfMemoryError
from executor.contract.index import IndexLine
from executor.training import entries
from executor.training.entries import CLIPPED, OUTSIDE, Entries, read_entries
from tests.support.refusal import refusal

CLASSES = ('cat', 'dog')
BROKEN, FAR, CROWD, BIRD, EMPTY = 2, 4, 5, 7, 9  # lines of which something is to be told


@pytest.fixture(autouse=True)
def _three_images_a_task(monkeypatch):
    monkeypatch.setattr(entries, '_TASK', 3)


@pytest.fixture
def lines(tmp_path) -> Callable[[str], list[IndexLine]]:
    """Make an index of 11 images of 30 x 20, 31 x 20, ... with a box or none, in a format."""

    def make(export_format: str) -> list[IndexLine]:
        write = {'ark': write_ark, 'voc': write_voc, 'coco': write_coco}[export_format]
        made = [IndexLine(tmp_path / f'{n}.png', file, f'i:{n}') for n, file in enumerate(write(tmp_path, 11))]
        for n, line in enumerate(made):
            Image.new('RGB', (30 + n, 20)).save(line.image)
        (tmp_path / f'{BROKEN}.png').write_bytes(b'no image')
        return made

    return make


def box(n: int) -> tuple[int, int, int, int]:
    """The inclusive corners of an image's box."""
    return (100, 1, 109, 9) if n == FAR else (20 + n, 1, 29 + n, 9) if n % 2 else (25 + n, 1, 34 + n, 9)


def write_ark(folder: Path, images: int) -> list[Path]:
    files = [folder / f'{n}.txt' for n in range(images)]
    for n, file in enumerate(files):
        file.write_text('' if n == EMPTY else f'{n % 2}, {", ".join(map(str, box(n)))}')
    return files


def write_voc(folder: Path, images: int) -> list[Path]:
    files = [folder / f'{n}.xml' for n in range(images)]
    for n, file in enumerate(files):
        name = 'bird' if n == BIRD else CLASSES[n % 2]
        corners = ''.join(f'<{t}>{v}</{t}>' for t, v in zip(('xmin', 'ymin', 'xmax', 'ymax'), box(n)))
        found = (
            f'<object><name>{name}</name><difficult>{int(n == CROWD)}</difficult><bndbox>{corners}</bndbox></object>'
        )
        file.write_text(f'<annotation>{"" if n == EMPTY else found}</annotation>')
    return files


def write_coco(folder: Path, images: int) -> list[Path]:
    found = []
    for n in range(images):
        x1, y1, x2, y2 = box(n)
        category = 2 if n == BIRD else n % 2
        entry = {'id': n, 'image_id': n, 'category_id': category, 'bbox': [x1, y1, x2 + 1 - x1, y2 + 1 - y1]}
        found += [] if n == EMPTY else [{**entry, 'iscrowd': int(n == CROWD)}]
    names = [{'id': n, 'name': name} for n, name in enumerate((*CLASSES, 'bird'))]
    listed = [{'id': n, 'file_name': f'{n}.png'} for n in range(images)]
    file = folder / 'coco.json'
    file.write_text(json.dumps({'images': listed, 'categories': names, 'annotations': found}))
    return [file] * images


@pytest.mark.parametrize('export_format', ['ark', 'voc', 'coco'])
def test_what_several_processes_read_is_in_the_order_of_the_index(lines, export_format):
    found = read_entries(lines(export_format), f'{export_format}:raw', CLASSES)
    images = [pickle.loads(image) for image in found.pickled]
    assert [(image['img_id'], image['width'], image['height']) for image in images] == [
        (n, 30 + n, 20) for n in range(11) if n != BROKEN
    ]
    assert [Path(image['img_path']).name for image in images] == [f'{n}.png' for n in range(11) if n != BROKEN]
    without = {FAR, EMPTY} | (set() if export_format == 'ark' else {BIRD})
    assert [n['img_id'] for n in images if not n['instances']] == sorted(without)
    assert found.usable == ({0: 4, 1: 4} if export_format == 'ark' else {0: 4, 1: 2})
    ignored = int(export_format != 'ark')
    assert images[0]['instances'] == [{'bbox': [25, 1, 30, 10], 'bbox_label': 0, 'ignore_flag': 0}]
    assert images[4]['instances'] == [{'bbox': [25, 1, 35, 10], 'bbox_label': 1, 'ignore_flag': ignored}]
    assert found.ignored == ignored
    assert [str(error).partition(' is not')[0][-5:] for error in found.broken] == ['2.png']
    assert found.leaving.left_out == {CLIPPED: 4, OUTSIDE: 1}
    assert [Path(place).name for place in found.leaving.first.values()] == ['0.png', '4.png']
    assert sum(found.tally.classes.values()) == 10
    assert dict(found.tally.left_out) == ({} if export_format == 'ark' else {'class not in class_names': 1})


@pytest.mark.parametrize('export_format', ['ark', 'voc', 'coco'])
def test_one_process_reads_the_same(lines, export_format, monkeypatch):
    made = lines(export_format)
    several = read_entries(made, f'{export_format}:raw', CLASSES)
    monkeypatch.setattr(entries, '_TASK', 11)
    one = read_entries(made, f'{export_format}:raw', CLASSES)
    for entry in (several, one):
        entry.broken = [str(error) for error in entry.broken]
    assert several == one
    assert isinstance(one, Entries) and len(one.pickled) == 10


def test_of_several_wrong_lines_the_first_is_told(lines):
    made = lines('ark')
    for n in (10, 6, 3):
        made[n].annotation.write_text('0, 1, 2')
    assert refusal(DatasetError, read_entries, made, 'ark:raw', CLASSES).startswith(f'{made[3].annotation}:1: expected')


def test_a_file_of_the_whole_dataset_is_read_by_one_process_once(lines, tmp_path, monkeypatch):
    read_by = tmp_path / 'read by'

    def read_toy(path, class_names, tally):
        with read_by.open('a') as stream:
            stream.write(f'{os.getpid()}\n')
        tally.meet('cat')
        return {f'{n}.png': (TrueBox(0, 1, 2, 3, 4),) for n in range(11)}

    monkeypatch.setitem(annotations.READERS, 'toy', annotations.one_file_for_all(read_toy))
    found = read_entries(lines('coco'), 'toy:raw', CLASSES)
    assert read_by.read_text() == f'{os.getpid()}\n'
    assert (len(found.pickled), found.usable, found.tally.classes) == (10, {0: 10}, {'cat': 1})


def read_and_die(task, at, path, class_names, tally):
    if os.getpid() != task and path.name in at:
        os.kill(os.getpid(), signal.SIGKILL)
    return ()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    'at, times, at_a_time',
    [
        pytest.param(['4.txt'], 1, None, id='later'),
        # A pool that is sent more than a pipe holds may hang then, though not each time.
        *(pytest.param([f'{n}.txt' for n in range(11)], 2000, 2000, id=f'at once, {n}') for n in range(3)),
    ],
)
def test_a_process_that_is_killed_is_told(lines, monkeypatch, at, times, at_a_time):
    read = functools.partial(read_and_die, os.getpid(), at)
    monkeypatch.setitem(annotations.READERS, 'ark', annotations.one_file_an_image(read))
    if at_a_time is not None:
        monkeypatch.setattr(entries, '_TASK', at_a_time)
    told = refusal(OutOfMemoryError, read_entries, lines('ark') * times, 'ark:raw', CLASSES)
    assert 'a process that reads annotations and the sizes of images was killed' in told
