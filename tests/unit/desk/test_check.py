"""The command `check`: all problems at once, what the task holds, and the sheet."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import pytest

from tests.support.layouts import Labelled, write_voc
from tests.support.random_model import write_random_weights
from tests.support.task_folder import line_of

SIZE = (100, 50)
CAT, DOG = ('cat', (10, 5, 30, 25)), ('dog', (50, 10, 120, 40))
IMAGES = [Labelled(f'{number:02}.png', SIZE, [CAT, DOG], 'val' if number == 19 else 'train') for number in range(20)]
NANO = 'config_file=configs/yolox/yolox_nano_8x8_300e_coco.py'


@pytest.fixture
def task(desk, tmp_path) -> Path:
    write_voc(tmp_path / 'data', IMAGES)
    status, told = desk('make', '--from', 'voc', 'data', '--out', 'task', '--set', NANO)
    assert status == 0, told
    return tmp_path / 'task'


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding='utf-8')
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding='utf-8')


def test_a_sound_task(desk, task):
    status, told = desk('check', 'task')
    assert status == 0, told
    assert 'start.py has nothing to complain of' in told
    assert 'in/train-index.tsv: 19 images, 38 boxes' in told
    assert '| dog   |    19 |' in told
    assert '19 boxes: clipped to their image, first in/assets/00.png' in told
    assert f'sheet of 16 images: {task}/check.jpg' in told
    # Four rows of four tiles, 480 x 240 each, below a legend.
    assert cv2.imread(str(task / 'check.jpg')).shape == (28 + 4 * 240, 4 * 480, 3)


def test_everything_is_told_at_once(desk, task, caplog):
    config, annotations = task / 'in/config.yaml', task / 'in/annotations/val.json'
    change(config, 'max_epochs: 100', 'max_epochs: many')
    change(config, 'val_interval: 1', 'val_interval: x\nno_such_key: 3')
    change(config, 'configs/yolox/yolox_nano', 'configs/yolox/yolox_pico')
    change(annotations, '"bbox":[10,5,20,20]', '"bbox":[10,5]')
    change(task / 'in/train-index.tsv', '\n', '\nin/assets/gone.png\tin/annotations/train.json\nno tab\n')
    (task / 'in/assets/07.png').unlink()
    (task / 'in/assets/07.png').write_bytes(b'no image')
    status, told = desk('check', 'task')
    assert status == 1
    parts = [
        f'in/config.yaml:{line_of(config, "max_epochs")}: max_epochs must be a whole number',
        f'in/config.yaml:{line_of(config, "val_interval")}: val_interval must be',
        f'in/config.yaml:{line_of(config, "config_file")}: config_file',
        'in/train-index.tsv:3: expected <image><tab><annotation>',
        'in/train-index.tsv lists 1 file (in/assets/gone.png',
        'in/annotations/val.json: annotations[0] (id 1): expected bbox',
        '1 of 20 images cannot be decoded: in/assets/07.png',
    ]
    for part in parts:
        assert part in told
    numbers = re.findall(r'^(\d+)\. ', told, re.M)
    assert numbers == [str(number) for number in range(1, len(parts) + 1)]
    assert f'{len(parts)} problems:' in told
    assert 'ignoring unknown keys: no_such_key' in caplog.text
    assert (task / 'check.jpg').is_file()


def test_malformed_annotations_of_several_images_are_all_told(desk, task):
    """Of a format with a file an image, as a task by hand may have."""
    change(task / 'in/config.yaml', '"coco:raw"', '"ark:raw"')
    for number in range(3):
        (task / f'in/annotations/{number}.txt').write_text('0, 1, 2\n' if number else '0, 10, 5, 29, 24\n')
    rows = [f'in/assets/{number:02}.png\tin/annotations/{number}.txt\n' for number in range(3)]
    (task / 'in/train-index.tsv').write_text(''.join(rows))
    (task / 'in/val-index.tsv').write_text(rows[0])
    status, told = desk('check', 'task')
    assert status == 1
    assert '2 problems:' in told
    assert 'in/annotations/1.txt:1: expected class_id' in told and 'in/annotations/2.txt:1: expected class_id' in told


def test_many_problems_are_bounded(desk, task):
    (task / 'in/train-index.tsv').write_text('no tab\n' * 100)
    status, told = desk('check', 'task')
    assert status == 1
    assert '30. ' in told and '31. ' not in told
    assert '... and 71 more' in told  # the last is that no image is left


def test_env_yaml_alone_is_told_where_it_is_wrong(desk, task):
    change(task / 'in/env.yaml', 'run_mining: false', 'run_mining: perhaps')
    change(task / 'in/env.yaml', 'models_dir: in/models', 'models_dir: [in]')
    status, told = desk('check', 'task')
    assert status == 1
    assert '2 problems:' in told
    assert 'run_mining must be true or false' in told and 'input.models_dir must be a path' in told


def test_a_detector_that_cannot_be_built(desk, task):
    change(task / 'in/config.yaml', "cfg_options: ''", "cfg_options: 'model.backbone.no_such=1'")
    status, told = desk('check', 'task')
    assert status == 1
    assert '1 problem:' in told and 'cfg_options' in told and 'no_such' in told


@pytest.mark.parametrize(
    'weights, frozen, told_so',
    [
        (False, 'backbone', 'freeze: backbone would keep random weights, since there are none to start from'),
        (
            True,
            '9',
            'freeze must be none, backbone or at most 5 for this detector, found 9: the stages of its backbone',
        ),
    ],
)
def test_parts_that_cannot_be_frozen(desk, task, weights, frozen, told_so):
    config = task / 'in/config.yaml'
    change(config, "freeze: 'none'", f"freeze: '{frozen}'")
    if weights:
        file = write_random_weights(task / 'in/models/start.pth')
        change(config, 'class_names:', f'pretrained_model_params: [{file}]\nclass_names:')
    status, told = desk('check', 'task')
    assert status == 1
    assert f'in/config.yaml:{line_of(config, "freeze")}: {told_so}' in told


def test_a_gpu_that_is_not_there(desk, task, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
    change(task / 'in/config.yaml', 'gpu_id: ""\ngpu_count: 0', 'gpu_id: "1"\ngpu_count: 1')
    status, told = desk('check', 'task')
    assert status == 1 and "gpu_id '1' asks for GPU 1, but CUDA_VISIBLE_DEVICES gives the container 1" in told


def test_a_set_without_a_usable_box(desk, task):
    change(task / 'in/config.yaml', '"cat", "dog"', '"bird", "fish"')
    status, told = desk('check', 'task')
    assert status == 1
    assert 'have no box of bird, fish to learn from' in told
    assert 'cat (19), dog (19)' in told
