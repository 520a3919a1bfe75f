"""From labelled images to a trained model to boxes in new ones, by the command alone, in a folder of the user's."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo import shapes
from tests.support.desk import desk, start
from tests.support.layouts import Labelled, write_voc
from tests.support.start import wait_for

pytestmark = pytest.mark.slow

SIDE = 96
SETTINGS = ('samples_per_gpu=2', 'workers_per_gpu=0', f'config_file={shapes.CONFIG_FILE}')


def write_shapes(root: Path, images: int) -> Path:
    rng = np.random.default_rng(0)
    labelled = []
    for number in range(images):
        pixels, boxes = shapes.draw(rng)
        image = root.parent / f'{root.name}-{number}.png'
        cv2.imwrite(str(image), pixels)
        found = [(shapes.CLASS_NAMES[label], (x1, y1, x2 + 1, y2 + 1)) for label, x1, y1, x2, y2 in boxes]
        labelled.append(Labelled(image.name, (shapes.SIDE, shapes.SIDE), found, source=image))
    return write_voc(root, labelled, split=False)


@pytest.fixture
def training(tmp_path) -> Path:
    """A task folder on six drawn images."""
    write_shapes(tmp_path / 'data', 6)
    settings = (*SETTINGS, 'max_epochs=1', f'cfg_options={shapes.size_options(SIDE, spread=0)}')
    desk(tmp_path, 'make', '--from', 'voc', 'data', '--out', 'task', '--set', *settings)
    return tmp_path / 'task'


def test_from_labelled_images_to_boxes_in_new_ones(training, tmp_path):
    told = desk(tmp_path, 'run', 'task')
    lines = told.splitlines()
    table = next(number for number, line in enumerate(lines) if 'true boxes' in line)
    assert lines[table - 2].startswith('per class, precision, recall and F1')  # with the score that they are of
    assert 'mAP (AP at IoU 0.5): 0.' in told
    assert 'model: task/out/models/epoch_1/ (epoch_1.pth, ' in told
    assert 'evaluation: task/out/models/attachments/evaluation/validation.jpg' in told
    program, _, folder = told.partition('curves: ')[2].partition('\n')[0].partition(' --logdir ')
    assert (tmp_path / program).is_file() and (tmp_path / folder).is_dir()
    assert (training / 'out/monitor.txt').read_text().split('\t')[2:] == ['1.00', '2\n']
    settings = ('samples_per_gpu=2', 'workers_per_gpu=0', 'mining_algorithm=entropy', 'conf_threshold=0.001')
    source = ('--from', 'images', 'data/JPEGImages', '--out', 'new', '--task', 'mining+infer')
    desk(tmp_path, 'make', *source, '--weights', 'task', '--set', *settings)
    assert 'class_names: ["circle", "square", "triangle"]' in (tmp_path / 'new/in/config.yaml').read_text()
    told = desk(tmp_path, 'run', 'new')
    pages = ('tensorboard/infer.html', 'tensorboard/mining.html')
    for name in ('infer-result.json', 'infer-examples.jpg', 'result.tsv', 'mining-examples.jpg', *pages):
        assert f': new/out/{name}\n' in told
    ranked = [line.split('\t')[0] for line in (tmp_path / 'new/out/result.tsv').read_text().splitlines()]
    assert sorted(ranked) == [f'in/assets/data-{number}.png' for number in range(6)]


def test_what_mining_brings(training, tmp_path):
    before = {path: path.read_bytes() for path in training.rglob('*') if path.is_file()}
    arguments = ('--algorithms', 'entropy+diversity', '--rounds', '1', '--seeds', '1', '--images', '2')
    told = desk(tmp_path, 'simulate', 'task', *arguments, '--out', 'worth')
    assert told.splitlines()[-1].startswith('entropy+diversity alone was tried')
    numbers = json.loads((tmp_path / 'worth/simulation.json').read_text())
    (run,) = numbers['algorithms']['entropy+diversity']['seeds']
    assert [point['labelled'] for point in run] == [2, 4] and numbers['pool']['labelled'] == 5
    first, mining, second = map(json.loads, (tmp_path / 'worth/steps.jsonl').read_text().splitlines()[1:])
    assert len(set(mining['chosen'])) == 2 and 'ap_50' in first and 'ap_50' in second
    assert (tmp_path / 'worth/simulation.html').is_file() and list((tmp_path / 'worth/work').iterdir()) == []
    assert {path: path.read_bytes() for path in training.rglob('*') if path.is_file()} == before


def test_a_task_that_fails_tells_why_and_where_the_log_is(training, tmp_path):
    config = training / 'in/config.yaml'
    config.write_text(config.read_text().replace('max_epochs: 1\n', 'max_epochs: none\n'))
    told = desk(tmp_path, 'run', 'task', status=1)
    assert 'max_epochs must be a whole number of at least 1' in told
    assert 'the whole log: task/out/ymir-executor-out.log' in told


def test_a_stop_reaches_the_task(training, tmp_path):
    log = training / 'out/ymir-executor-out.log'
    process = start(tmp_path, 'run', 'task')
    wait_for(process, lambda: log.is_file() and 'task task: training' in log.read_text())
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert 'stopped from outside (SIGTERM)' in told


def test_a_kill_leaves_no_task_behind(training, tmp_path):
    log = training / 'out/ymir-executor-out.log'
    process = start(tmp_path, 'run', 'task')
    wait_for(process, lambda: log.is_file() and 'task task: training' in log.read_text())
    process.kill()
    process.communicate()
    monitor = training / 'out/monitor.txt'
    deadline = time.monotonic() + 60
    while 'stopped from outside (SIGTERM)' not in monitor.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
