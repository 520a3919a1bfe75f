"""A trained stage, evaluated again by the command, has the numbers of its training; beside itself nothing differs."""

from __future__ import annotations

import json

import pytest
import torch

from demo import shapes
from desk.models import find_model
from desk.progress import Bar
from desk.validate import open_task, validate
from executor.machine.cores import available_cores
from executor.weights.checkpoint import read_checkpoint
from tests.support.desk import desk
from tests.support.start import run
from tests.unit.report.test_model_page import Page

pytestmark = pytest.mark.slow

# Networks that have hardly learned anything find something by chance.
FINDING = 'model.test_cfg.score_thr=0 model.test_cfg.max_per_img=300'
MODELS = (shapes.CONFIG_FILE, 'configs/yolov5/yolov5n_8x8_300e_coco.py')
NUMBERS = (
    'images',
    'coco',
    'platform',
    'best',
    'classes',
    'errors',
    'confusion',
    'by_score',
    'calibration',
    'lost_in_nms',
)


@pytest.mark.parametrize('config_file', MODELS, ids=['yolox_nano', 'yolov5n'])
def test_a_stage_has_the_numbers_of_its_training(tmp_path, config_file):
    task = tmp_path / 'task'
    settings = {'samples_per_gpu': 4, 'workers_per_gpu': 0, 'config_file': config_file, 'input_size': 64}
    run(shapes.write_task(task, 6, 10, max_epochs=1, cfg_options=FINDING, **settings))
    # In a process with as many threads as the training's: what sums depend on is enough to swap boxes of equal score.
    told = desk(tmp_path, 'evaluate', 'task/out/models/epoch_1', '--on', 'task')
    assert f'page of the model: {task}/evaluation/task-epoch_1/report.html\n' in told
    reported = (
        task / place / 'report.json' for place in ('out/models/attachments/evaluation', 'evaluation/task-epoch_1')
    )
    before, after = (json.loads(file.read_text(encoding='utf-8')) for file in reported)
    assert {name: after[name] for name in NUMBERS} == {name: before[name] for name in NUMBERS}
    assert after['lost_in_nms']['images'] > 0 and after['speed']['gflops'] == before['speed']['gflops'] > 0
    assert sum(after['calibration']['count']) > 800 and after['coco']['AR_100'] > 0
    Page((task / 'evaluation/task-epoch_1/report.html').read_text(encoding='utf-8'))
    # Unrounded, as the state to resume from has them.
    (stage,) = read_checkpoint(task / 'out/training/resume.pth')['ymir_stages']
    torch.set_num_threads(available_cores())  # a detector that another test loaded has left one
    model = find_model(task, {}, None)
    found = validate(model, open_task(task), Bar()).validation.evaluation
    assert stage['stage']['mAP'] > 0 and found.mAP_50 == pytest.approx(stage['stage']['mAP'], abs=1e-6)
    for trained, again in zip(stage['classes'], found.classes):
        assert (trained['ap'], trained['ap_50']) == pytest.approx((again.ap, again.ap_50), abs=1e-6)
        assert (trained['tp'], trained['fp'], trained['fn']) == (again.tp, again.fp, again.fn)
    told = desk(tmp_path, 'compare', 'task', 'task/out/models/epoch_1', '--on', 'task')
    assert 'task-epoch_1: no difference from task\n' in told
    page = Page((task / 'comparison/compare.html').read_text(encoding='utf-8'))
    assert page.all('img') == []
