"""The commands `evaluate` and `compare` on models nobody trained: classes by name, and what is told of wrong calls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from desk.models import find_model, model_name, model_settings
from desk.progress import Bar
from desk.validate import Validated, open_task, validate
from executor.evaluation.coco import COCO_NAMES
from executor.evaluation.errors import KINDS
from tests.conftest import REPOSITORY
from tests.support.layouts import Labelled, write_image, write_voc
from tests.support.random_model import write_random_weights

CAT, DOG = ('cat', (0, 0, 60, 60)), ('dog', (20, 10, 90, 50))
IMAGES = [Labelled(f'{part}{n}.png', (100, 80), [CAT, DOG], part) for part in ('train', 'val') for n in range(2)]
SMALL = 'cfg_options=test_dataloader.dataset.pipeline.1.scale=(64,64) model.test_cfg.score_thr=0'
HOSTILE = '\x1b[31m<script>alert(1)</script>'


@pytest.fixture(scope='module')
def weights(tmp_path_factory) -> Path:
    """For cats and dogs, which it names."""
    file = tmp_path_factory.mktemp('weights') / 'yolox_nano_own.pth'
    return write_random_weights(file, dataset_meta={'classes': ('cat', 'dog')})


@pytest.fixture(scope='module')
def unnamed(tmp_path_factory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp('weights') / 'yolox_nano_unnamed.pth')


@pytest.fixture
def task(desk, tmp_path) -> Path:
    write_voc(tmp_path / 'data', IMAGES)
    status, told = desk('make', '--from', 'voc', 'data', '--out', 'task', '--set', 'workers_per_gpu=0')
    assert status == 0, told
    return tmp_path / 'task'


def report(**changes: object) -> dict[str, object]:
    """What is read of a report, of a model that finds nothing."""
    return {
        'images': 2,
        'coco': dict.fromkeys(COCO_NAMES, 0.0),
        'best': dict.fromkeys(('threshold', 'precision', 'recall', 'f1'), 0.5),
        'classes': [{'name': HOSTILE, 'true_boxes': 3, 'ap': 0.1, 'ap_50': None, 'at_best': None}],
        'errors': {kind: {'boxes': 0, 'ap_50': 0.0} for kind in KINDS},
        'localisation': {'ap_50': 0.0},
        'calibration': {'ece': 0.0},
        **changes,
    }


def write_report(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True)
    (folder / 'report.json').write_text(json.dumps(report(**changes)), encoding='utf-8')
    return folder


def test_evaluate_and_compare(desk, task, weights, tmp_path):
    status, told = desk('evaluate', weights, '--on', 'task', '--set', SMALL)
    assert status == 0, told
    assert f'yolox_nano_own on {task}: 2 validation images, 4 true boxes, YOLOX, ' in told
    assert '| cat   |          2 |' in told and '| AR_100 | ' in told
    assert 'note:' not in told
    page, numbers = (task / f'evaluation/yolox_nano_own/report.{suffix}' for suffix in ('html', 'json'))
    assert f'page of the model: {page}\nnumbers: {numbers}\n' in told
    assert page.is_file() and json.loads(numbers.read_text())['settings']['Evaluation']['ran on'] == 'CPU'
    status, told = desk('compare', weights, weights, '--on', 'task', '--set', SMALL, '--out', 'both')
    assert status == 0, told
    assert 'yolox_nano_own (2): no difference from yolox_nano_own\n' in told and '+--' not in told
    assert json.loads((tmp_path / 'both/compare.json').read_text())['same_as_first'] == [True]
    status, told = desk('compare', 'task/evaluation/yolox_nano_own', numbers, '--out', 'reports')
    assert status == 0 and 'yolox_nano_own (2): no difference from yolox_nano_own\n' in told


def found_labels(task: Path, weights: Path, class_names) -> tuple[list[int], Validated]:
    """How many boxes of each of the task's classes weights find that name their classes so."""
    model = find_model(weights, model_settings([SMALL]), class_names)
    validated = validate(model, open_task(task), Bar())
    details = validated.validation.evaluation.details
    return np.bincount(details.matches.label, minlength=2).tolist(), validated


def test_classes_are_matched_by_their_names(task, unnamed):
    (cats, dogs), validated = found_labels(task, unnamed, ('cat', 'dog'))
    assert cats > 0 and dogs > 0 and cats != dogs
    assert validated.notes == ()
    assert found_labels(task, unnamed, ('dog', 'cat'))[0] == [dogs, cats]
    labels, validated = found_labels(task, unnamed, ('bird', 'dog'))
    assert labels == [0, dogs]
    assert validated.notes == [
        'the model does not look for 1 class of the task (cat), which counts as missed, and finds 1 class that the '
        'task does not have (bird), which does not count'
    ]
    labels, validated = found_labels(task, unnamed, None)
    assert labels == [cats, dogs]
    assert validated.notes == ['the weights do not name their classes, which are taken for cat, dog (--classes)']


@pytest.mark.parametrize(
    'path, expected',
    [
        ('a/yolox_nano.pth', 'yolox_nano'),
        ('task/out/models/epoch_2', 'task-epoch_2'),
        ('task/out/models/epoch_2/epoch_2.pth', 'task-epoch_2'),
        ('some/task', 'task'),
    ],
)
def test_a_model_has_a_short_name(tmp_path, path, expected):
    place = tmp_path / path
    place.parent.mkdir(parents=True)
    place.write_bytes(b'') if place.suffix else place.mkdir()
    assert model_name(place) == expected


@pytest.mark.parametrize(
    'arguments, status, part',
    [
        (('gone.pth', '--on', 'task'), 2, 'gone.pth is not there: name a task that has been run'),
        (('data', '--on', 'task'), 2, 'data holds no file'),
        (('data/JPEGImages', '--on', 'task'), 2, 'data/JPEGImages holds no weights (.pth, .pt'),
        (('task', '--on', 'task'), 2, 'task is a task that has left no model: run it first'),
        (('WEIGHTS', '--on', 'data'), 2, 'data is no task folder'),
        (('WEIGHTS', '--on', 'new'), 2, 'new has no validation set: name a task that was made with --task training'),
        (
            ('WEIGHTS', '--on', 'task', '--set', 'conf_threshold=0.1'),
            2,
            '--set conf_threshold is not about the model: set config_file',
        ),
        (('WEIGHTS', '--on', 'task', '--set', 'iou_threshold=7'), 2, 'iou_threshold must be a number from 0 to 1'),
        (('WEIGHTS', '--on', 'task', '--classes', 'a,a'), 2, '--classes must be different names'),
        (('WEIGHTS', '--on', 'task', '--out', 'data/JPEGImages/val0.png'), 2, 'val0.png is a file: name a folder'),
        (('broken.pth', '--on', 'task'), 1, 'broken.pth is no weight file'),
        (('WEIGHTS', '--on', 'task', '--set', 'config_file=no.py'), 1, "config_file 'no.py' does not exist"),
        (
            ('UNNAMED', '--on', 'task', '--classes', 'coco'),
            1,
            'say --classes with the names of the model, in its order',
        ),
    ],
)
def test_what_cannot_be_evaluated(desk, task, weights, unnamed, tmp_path, arguments, status, part):
    (tmp_path / 'broken.pth').write_bytes(b'no weights')
    source = ('--from', 'images', 'data/JPEGImages', '--out', 'new', '--task', 'infer', '--weights', weights)
    assert 'new' not in arguments or desk('make', *source)[0] == 0
    places = {'WEIGHTS': weights, 'UNNAMED': unnamed}
    found, told = desk('evaluate', *(places.get(one, one) for one in arguments))
    assert (found, part in told) == (status, True), told
    assert told.count('\n') == 1 and 'Traceback' not in told
    assert not (task / 'evaluation').exists()


def test_a_task_whose_validation_set_is_broken(desk, task, weights):
    image = task / 'in/assets/val0.png'
    image.unlink()
    status, told = desk('evaluate', weights, '--on', 'task')
    assert status == 1 and 'lists 1 file (in/assets/val0.png' in told
    write_image(image, (100, 80)).write_bytes(b'no image')
    status, told = desk('evaluate', weights, '--on', 'task')
    assert status == 1 and '1 of 2 images cannot be decoded: in/assets/val0.png' in told


@pytest.mark.parametrize(
    'arguments, part',
    [
        (('a',), 'one model alone cannot be compared: name two or more'),
        (('a', 'data'), 'data has no report.json: name a task that has been trained, or say --on TASK'),
        (('a', 'gone.json'), 'gone.json is not there: name a task that has been trained'),
        (('a', 'a', '--set', 'iou_threshold=0.5'), '--set and --classes are for models that are evaluated: say --on'),
        (('a/report.json', 'a', '--on', 'task'), 'a/report.json holds numbers alone, nothing to evaluate on a task'),
        (('a', 'a', '--out', 'bad.json'), 'bad.json is a file: name a folder'),
        (('a', 'bad.json'), 'bad.json is no report of a model (it.coco.AP must be a number from 0 to 1, found 7)'),
        (('a', 'deep.json'), 'deep.json is no report of a model ('),
        (('a', 'empty.json'), 'empty.json is no report of a model (it must be a dict'),
    ],
)
def test_what_cannot_be_compared(desk, task, tmp_path, arguments, part):
    write_report(tmp_path / 'a')
    bad = report(coco={**dict.fromkeys(COCO_NAMES), 'AP': 7})
    (tmp_path / 'bad.json').write_text(json.dumps(bad), encoding='utf-8')
    (tmp_path / 'deep.json').write_text('[' * 100_000, encoding='utf-8')
    (tmp_path / 'empty.json').write_text('[]', encoding='utf-8')
    status, told = desk('compare', *arguments)
    assert (status, part in told) == (2, True), told
    assert told.count('\n') == 1


def test_reports_of_other_images_and_of_hostile_names(desk, tmp_path):
    """What others wrote into a report is shown as text, also by the terminal."""
    write_report(tmp_path / 'a')
    (tmp_path / 'run/in').mkdir(parents=True)
    write_report(tmp_path / 'run/out/models/attachments/evaluation', images=3, localisation={'ap_50': 0.25})
    status, told = desk('compare', 'a', 'run')
    assert status == 0, told
    assert 'run: 3 images with 3 true boxes\n' in told
    assert 'note: measured on 3 images with 3 true boxes, and the first on 2 images with 3 true boxes: these' in told
    assert '| AP50 with classes ignored   | 0.0000 | 0.2500 (+0.2500) |' in told
    assert '\x1b' not in told and '\ufffd[31m<script>alert(1)</script>' in told
    assert 'images are not compared' in told
    page = (tmp_path / 'comparison/compare.html').read_text(encoding='utf-8')
    assert '<script' not in page and '&lt;script&gt;alert(1)' in page


IMPORT = """
import torch
asked = []
torch._C._cuda_getDeviceCount = lambda: asked.append(1) or 0
torch.cuda._device_count_nvml = lambda: 2
from desk.__main__ import main
main([sys.argv[1], 'no-model', '--on', 'no-task'])
print('mmengine' in sys.modules, len(asked), torch.cuda.is_available(), len(asked))
"""


@pytest.mark.skipif(not hasattr(torch.cuda, '_device_count_nvml'), reason='this torch always asks CUDA')
@pytest.mark.parametrize('command', ['evaluate', 'compare'])
def test_imports_do_not_start_cuda_before_the_gpu_is_chosen(command):
    run = [sys.executable, '-W', 'ignore', '-c', f'import sys{IMPORT}', command]
    assert subprocess.check_output(run, cwd=REPOSITORY, text=True, stderr=subprocess.DEVNULL) == 'True 0 False 1\n'
