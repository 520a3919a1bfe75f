"""Whole trainings through start.py, on a few drawn shapes: what is left in /out, and what survives a kill."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from mmengine.config import Config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from demo import shapes
from demo.task_folder import write_config
from executor.config import patches
from executor.config.plain import read_plain_config
from executor.contract.env import read_env
from executor.weights.checkpoint import read_checkpoint
from tests.conftest import REPOSITORY
from tests.support import mmdet2
from tests.support.board import pixels, read_board
from tests.support.html import check_alone
from tests.support.kept import keep
from tests.support.random_model import write_random_weights
from tests.support.start import detections_of, monitor_of, ranking_of, result_of, run, scalars_of, start, wait_for

pytestmark = pytest.mark.slow

NANO = Path(shapes.CONFIG_FILE).name
TINY = 'configs/yolox/yolox_tiny_8x8_300e_coco.py'
SMALL = {'max_epochs': 1, 'samples_per_gpu': 4, 'workers_per_gpu': 1, 'cfg_options': shapes.size_options(96, spread=0)}
ATTACHMENTS = {
    'dataset': ['dataset.html', 'dataset.json'],
    'evaluation': ['validation.jpg', 'report.html', 'report.json'],
}


def write_small_task(root: Path, train: int = 8, val: int = 5, **config: Any) -> Path:
    return shapes.write_task(root, train, val, **{**SMALL, **config})


@pytest.fixture(scope='module')
def two_epochs(tmp_path_factory):
    """The env.yaml and output of a training of two epochs, for the tests that only look at it."""
    env_file = write_small_task(tmp_path_factory.mktemp('two_epochs'), max_epochs=2, max_keep_checkpoints=-1)
    return env_file, run(env_file)


def test_a_package_has_all_that_a_later_task_needs(two_epochs, monkeypatch):
    env_file, _ = two_epochs
    result = result_of(env_file)
    models = read_env(env_file).output.models_dir
    assert list(result['model_stages']) == ['epoch_1', 'epoch_2']
    for name, stage in result['model_stages'].items():
        graph = [f'{name}.onnx', f'{name}.json'] if name == result['best_stage_name'] else []
        assert stage['files'] == [f'{name}.pth', NANO, *graph]
        weights = read_checkpoint(models / name / f'{name}.pth')
        assert set(weights) == {'meta', 'state_dict'}  # no optimizer
        assert weights['meta']['dataset_meta'] == {'classes': shapes.CLASS_NAMES}
        assert weights['meta']['mAP'] == stage['mAP']
        config = read_plain_config(models / name / NANO)
        assert config['model']['bbox_head']['num_classes'] == 3
        assert config['test_dataloader']['dataset']['pipeline'][1]['scale'] == (96, 96)
        monkeypatch.setattr(patches, 'is_trusted', lambda file: True)
        assert Config.fromfile(str(models / name / NANO)).model.type == 'YOLOX'
    assert result['attachments'] == ATTACHMENTS
    assert (models / 'attachments/evaluation/validation.jpg').stat().st_size > 1000
    assert not list(models.rglob('.*'))  # nothing half written


def test_the_page_of_the_model_is_about_the_best_stage(two_epochs):
    env_file, output = two_epochs
    result, folder = result_of(env_file), read_env(env_file).output.models_dir / 'attachments/evaluation'
    numbers = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
    best = result['model_stages'][result['best_stage_name']]
    assert (numbers['stage'], numbers['images']) == (result['best_stage_name'], 5)
    assert numbers['platform']['mAP'] == pytest.approx(best['mAP'], abs=1e-4)
    assert {key: numbers['platform'][key] for key in ('tp', 'fp', 'fn')} == {
        key: best[key] for key in ('tp', 'fp', 'fn')
    }
    assert [row['epoch'] for row in numbers['history']] == [1, 2]
    assert all({'loss', 'lr', 'AP', 'AP_50'} <= set(row) for row in numbers['history'])
    assert numbers['settings']['Training']['weights it began with'] == 'none: trained from scratch'
    assert numbers['settings']['Parameters']['max_epochs'] == 2
    assert f'page of the model: {folder}/report.html' in output and 'could not be' not in output
    assert 1e4 < (folder / 'report.html').stat().st_size < 4e6


def test_the_page_of_the_dataset_is_about_what_is_trained_on(two_epochs):
    env_file, output = two_epochs
    folder = read_env(env_file).output.models_dir / 'attachments/dataset'
    numbers = json.loads((folder / 'dataset.json').read_text(encoding='utf-8'))
    assert (numbers['training']['images'], numbers['validation']['images']) == (8, 5)
    boxes = [len(file.read_text().splitlines()) for file in (env_file.parent / 'annotations').glob('train-*.txt')]
    assert numbers['training']['boxes'] == sum(boxes)
    text = (folder / 'dataset.html').read_text(encoding='utf-8')
    assert text.count('<h3>Batch ') == 2  # an epoch has no more
    assert output.index('page of the dataset: ') < output.index('epoch 1 of 2')
    assert len(text) < 1e6


def test_the_end_is_told(two_epochs):
    env_file, output = two_epochs
    assert monitor_of(env_file)[2:] == ['1.00', '2']
    line = r'epoch 2 of 2: loss [0-9.]+ \(.*\), learning rate [0-9.e-]+; [0-9.]+ images/s, waited for images [0-9]+ %'
    assert re.search(line, output) and output.count('epoch 2 of 2') == 1
    assert re.search(r'\| class +\| true boxes \| +AP50 \| +AP \| precision \| recall \| +F1 \|', output)
    assert '| triangle |' in output
    assert output.count('each validation tells three means') == 1
    assert 'best stage epoch_' in output
    assert 'no pretrained weights: training from scratch' in output


def test_tensorboard_has_losses_rate_and_metrics(two_epochs):
    env_file, _ = two_epochs
    scalars = scalars_of(env_file)
    assert {'loss', 'loss_cls', 'lr', 'coco/bbox_mAP_50', 'coco/AP_50/circle'} <= set(scalars)
    assert len(scalars['coco/bbox_mAP_50']) == 2
    assert scalars['coco/images'] == [5, 5]
    assert len(scalars['waiting']) == 2 and all(0 <= share < 1 for share in scalars['waiting'])
    assert all(math.isfinite(value) for values in scalars.values() for value in values)


def test_what_the_platform_keeps_shows_all_of_it(two_epochs, tmp_path):
    env_file, output = two_epochs
    kept = keep(read_env(env_file).output.root_dir, tmp_path)
    assert sorted(path.name for path in kept.iterdir()) == ['monitor.txt', 'package', 'tensorboard']
    for section, files in ATTACHMENTS.items():
        for file in files:
            path = kept / 'package/attachments' / section / file
            assert path.stat().st_size > 1000
            if file.endswith('.html'):
                check_alone(path.read_text(encoding='utf-8'))
    assert (kept / 'package/epoch_2' / NANO).is_file() and (kept / 'package/epoch_2/epoch_2.pth').is_file()
    best = result_of(env_file)['best_stage_name']
    epoch = int(best.partition('_')[2])
    shown = read_board(kept / 'tensorboard')
    assert set(shown.images['validation/true and found boxes']) == {1, 2}
    assert {tag.partition('/')[0] for tag in shown.images} >= {'dataset', 'validation', 'best model'}
    assert all(min(pixels(image).shape[:2]) > 90 for of in shown.images.values() for image in of.values())
    assert set(shown.images['best model/precision by recall']) == {epoch}
    curves = {f'precision and recall by class/{name}' for name in shapes.CLASS_NAMES}
    assert set(shown.curves) <= curves | {'precision and recall/all classes'} and len(shown.curves) > 1
    assert {'config', 'settings', 'dataset', 'best model/classes', 'best model/worst images'} <= set(shown.texts)
    assert shown.settings['learning_rate'] == pytest.approx(0.01 * 4 / 64)
    assert (shown.settings['config_file'], shown.settings['input_size']) == (NANO, '96x96')
    assert (shown.settings['batch'], shown.settings['max_epochs']) == (4, 2)
    assert shown.settings['weights'] == 'none: trained from scratch'
    assert shown.ended and shown.metrics == ['best/AP50', 'best/AP', 'best/mAR']
    numbers = json.loads((kept / 'package/attachments/evaluation/report.json').read_text(encoding='utf-8'))
    measured = [numbers['coco']['AP_50'], numbers['coco']['AP'], numbers['platform']['mAR']]
    assert [shown.scalars[name][2] for name in shown.metrics] == pytest.approx(measured, abs=1e-4)
    assert 'tensorboard' not in output.replace('out/tensorboard', '')  # no warning


def test_resume_goes_on_after_a_kill(tmp_path):
    env_file = write_small_task(tmp_path, max_epochs=8, max_keep_checkpoints=-1, export_onnx='off')
    process = start(env_file)
    state = tmp_path / 'out/training/resume.pth'
    wait_for(process, lambda: state.is_file() and 'epoch_2' in result_of(env_file)['model_stages'])
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    reached = len(read_checkpoint(state)['ymir_stages'])
    before = result_of(env_file)['model_stages']
    assert 1 <= reached < 8
    config = yaml.safe_load((tmp_path / 'in/config.yaml').read_text(encoding='utf-8'))
    write_config(tmp_path, **{**config, 'args_options': '--resume'})
    output = run(env_file)
    after = result_of(env_file)['model_stages']
    assert list(after) == [f'epoch_{n}' for n in range(1, 9)]
    kept = [f'epoch_{n}' for n in range(1, reached + 1)]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert f'epoch {reached} of 8' not in output and f'epoch {reached + 1} of 8' in output
    assert 'page of the dataset' not in output and result_of(env_file)['attachments'] == ATTACHMENTS
    page = tmp_path / 'out/models/attachments/evaluation/report.json'
    assert [row['epoch'] for row in json.loads(page.read_text(encoding='utf-8'))['history']] == list(range(1, 9))
    shown = read_board(tmp_path / 'out/tensorboard')  # two files, one run
    assert list(shown.scalars['best/AP50']) == list(range(1, 9)) and shown.ended
    assert set(shown.images['validation/true and found boxes']) == set(range(1, 9))
    # By hand: from r = 0.01 * 4 / 64 down to r / 20 in 12 steps, of which the last is the 11th, counted from 0:
    # r / 20 + (r - r / 20) * (1 + cos(11 / 12 * pi)) / 2.
    assert re.search(r'epoch 8 of 8: .* learning rate 4\.14e-05', output)


TRAIN_BY_EPOCH = """
import os, random, sys
from pathlib import Path
import numpy, torch
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.progress import Progress
from executor.training.epoch_hook import EpochHook
from executor.training.train import train
def before_train_epoch(self, runner):
    if runner.epoch == int(sys.argv[2]):
        os._exit(7)
    for draw in (random.seed, numpy.random.seed, torch.manual_seed):
        draw(runner.epoch)
EpochHook.before_train_epoch = before_train_epoch
train(read_job(read_env(Path(sys.argv[1]))), Progress(lambda percent: None))
"""


def test_a_training_goes_on_from_a_package_as_if_it_had_never_stopped(tmp_path):
    """To the last bit, where each epoch draws the same random numbers in both."""
    keys = {'save_resume_state': True, 'export_onnx': 'off'}
    config = {'max_epochs': 4, 'max_keep_checkpoints': -1, 'workers_per_gpu': 0, **keys}
    whole, stopped = (write_small_task(tmp_path / name, **config) for name in ('whole', 'stopped'))
    packed = [str(tmp_path / 'stopped/out/models/epoch_2' / name) for name in ('epoch_2.pth', NANO, 'resume.pth')]
    new = write_small_task(tmp_path / 'new', **config, pretrained_model_params=packed, args_options='--resume')
    for env_file, last, status in ((whole, 4, 0), (stopped, 2, 7), (new, 4, 0)):
        command = [sys.executable, '-c', TRAIN_BY_EPOCH, str(env_file), str(last)]
        done = subprocess.run(command, cwd=str(REPOSITORY), capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
    listed = {
        env_file: {n: s['files'] for n, s in result_of(env_file)['model_stages'].items()} for env_file in (stopped, new)
    }
    assert listed[stopped] == {'epoch_1': ['epoch_1.pth', NANO], 'epoch_2': [Path(file).name for file in packed]}
    assert listed[new] == {'epoch_3': ['epoch_3.pth', NANO], 'epoch_4': ['epoch_4.pth', NANO, 'resume.pth']}
    pages = [tmp_path / task / 'out/models/attachments/evaluation/report.json' for task in ('whole', 'new')]
    histories = [json.loads(page.read_text(encoding='utf-8'))['history'] for page in pages]
    assert histories[0] == histories[1] and len(histories[0]) == 4
    for name in ('epoch_4.pth', 'resume.pth'):
        first, second = (read_checkpoint(tmp_path / task / 'out/models/epoch_4' / name) for task in ('whole', 'new'))
        assert all(torch.equal(value, second['state_dict'][name]) for name, value in first['state_dict'].items())
    for tag in ('lr', 'loss', 'coco/bbox_mAP_50'):
        both = [*points_of(stopped, tag), *points_of(new, tag)]
        assert [step for step, _ in both] == [step for step, _ in points_of(whole, tag)]
        # The loss is a mean of the last ten iterations of the task.
        assert tag == 'loss' or both == points_of(whole, tag)


def points_of(env_file: Path, tag: str) -> list[tuple[int, float]]:
    """Step and value of each point of a curve."""
    events = EventAccumulator(str(read_env(env_file).output.tensorboard_dir)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_a_package_with_a_state_is_used_like_any_other(tmp_path):
    first = write_small_task(tmp_path / 'first', save_resume_state=True)
    run(first)
    stage = tmp_path / 'first/out/models/epoch_1'
    package = [str(stage / name) for name in ('resume.pth', NANO, 'epoch_1.pth')]
    output = run(write_small_task(tmp_path / 'tuned', pretrained_model_params=package))
    assert f'{package[0]}: the state to resume from is left alone without args_options --resume' in output
    assert package[2] in output and 'epoch 1 of 1' in output
    found = []
    for name, files in (('with', package), ('without', package[1:])):
        task = shapes.write_candidates_task(
            tmp_path / name, 2, infer=True, model_params_path=files, conf_threshold=0.0001
        )
        run(task)
        found.append((ranking_of(task), detections_of(task)))
    assert found[0][1] == found[1][1] and any(image['boxes'] for image in found[0][1].values())
    assert [score for _, score in found[0][0]] == [score for _, score in found[1][0]]


@pytest.mark.parametrize(
    'changes, code, words',
    [
        ({'args_options': '--resume {weights}'}, '300004', 'holds weights only'),
        ({'args_options': '--resume /nowhere.pth'}, '300004', 'no such file'),
        ({'args_options': '--resume', 'max_epochs': 5}, '300001', 'max_epochs was 2, is 5'),
        ({'args_options': '--resume', 'class_names': shapes.CLASS_NAMES[::-1]}, '300001', 'class_names are triangle'),
        ({'args_options': '--resume', 'config_file': TINY}, '300004', 'resume.pth does not fit this training: state_'),
        ({'args_options': '--resume {root}/in/wrong.pth'}, '300004', "stage.name must be epoch_1, found '..'"),
    ],
)
def test_a_resume_that_cannot_be_takes_nothing_away(two_epochs, changes, code, words):
    env_file, _ = two_epochs
    root = env_file.parents[1]
    state = read_checkpoint(root / 'out/training/resume.pth')
    state['ymir_stages'][0]['stage']['name'] = '..'
    torch.save(state, str(root / 'in/wrong.pth'))
    before, files = result_of(env_file), files_in(root / 'out')
    file = root / 'in/config.yaml'
    text = file.read_text(encoding='utf-8')
    weights = root / 'out/models/epoch_2/epoch_2.pth'
    changes['args_options'] = changes['args_options'].format(weights=weights, root=root)
    write_config(root, **{**yaml.safe_load(text), **changes})
    output = run(env_file, status=1)
    file.write_text(text, encoding='utf-8')
    assert words in output.splitlines()[-1]
    assert monitor_of(env_file)[3:5] == ['4', code]
    assert result_of(env_file) == before
    assert files <= files_in(root / 'out')


TRAIN = """
import sys
from pathlib import Path
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.progress import Progress
from executor.training.dataset_report import DatasetReportHook
from executor.training.train import train
if sys.argv[2] == 'without':
    DatasetReportHook.before_train = lambda *_: None
train(read_job(read_env(Path(sys.argv[1]))), Progress(lambda percent: None))
"""


@pytest.mark.parametrize(
    'changes',
    [
        {'workers_per_gpu': 0},  # one process draws all random numbers
        {  # its mosaic remembers the images before
            'config_file': 'configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
            'max_epochs': 2,
            'cfg_options': 'train_dataloader.dataset.pipeline.2.img_scale=(64,64) '
            'train_dataloader.dataset.pipeline.3.scale=(128,128) train_dataloader.dataset.pipeline.4.crop_size=(64,64) '
            'train_dataloader.dataset.pipeline.7.size=(64,64) train_dataloader.dataset.pipeline.8.img_scale=(64,64)',
        },
    ],
    ids=['without workers', 'with a mosaic that remembers'],
)
def test_the_page_of_the_dataset_changes_no_bit_of_the_model(tmp_path, changes):
    states = []
    for way in ('with', 'without'):
        env_file = write_small_task(tmp_path / way, **changes)
        command = [sys.executable, '-c', TRAIN, str(env_file), way]
        done = subprocess.run(command, cwd=str(REPOSITORY), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        models = tmp_path / way / 'out/models'
        assert (models / 'attachments/dataset/dataset.html').exists() == (way == 'with')
        states.append(read_checkpoint(next(models.glob('epoch_*/*.pth')))['state_dict'])
    first, second = states
    assert list(first) == list(second)
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}


def test_a_new_start_in_the_same_folder_mixes_nothing_and_takes_nothing_of_others(tmp_path):
    env_file = write_small_task(tmp_path, max_epochs=2, max_keep_checkpoints=-1)
    run(env_file)
    theirs = {'models/epoch_backup/a.pth', 'models/epoch_2/notes.txt', 'tensorboard/events.out.tfevents.1.other.7.0'}
    for name in theirs:
        (tmp_path / 'out' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'out' / name).write_text("the user's")
    write_small_task(tmp_path, max_epochs=1)
    run(env_file)
    assert list(result_of(env_file)['model_stages']) == ['epoch_1']
    ours = {f'models/attachments/{section}/{name}' for section, names in ATTACHMENTS.items() for name in names}
    ours.add('models/result.yaml')
    ours |= {f'models/epoch_1/{name}' for name in ('epoch_1.pth', NANO, 'epoch_1.onnx', 'epoch_1.json')}
    found = {name for name in files_in(tmp_path / 'out') if name.startswith(('models', 'tensorboard'))}
    curves = found - ours - theirs
    assert found == ours | theirs | curves
    assert len(curves) == 1 and curves.pop().startswith('tensorboard/events.out.tfevents.')


def test_a_second_task_in_the_same_folder_is_refused_and_the_first_goes_on(tmp_path):
    env_file = write_small_task(tmp_path, max_epochs=500)
    process = start(env_file)
    state = tmp_path / 'out/training/resume.pth'
    wait_for(process, state.is_file)
    output = run(env_file, status=1)
    assert f'{tmp_path}/out is in use by another task' in output.splitlines()[-1]
    assert monitor_of(env_file)[3:] == ['2']
    written = state.stat().st_mtime_ns
    wait_for(process, lambda: state.is_file() and state.stat().st_mtime_ns > written)
    process.terminate()
    process.communicate()
    assert monitor_of(env_file)[3:5] == ['4', '160004']
    assert process.returncode == 143


def test_a_kill_in_the_middle_of_a_validation_costs_no_epoch(tmp_path):
    env_file = write_small_task(tmp_path, val=60, max_epochs=2, max_keep_checkpoints=-1, export_onnx='off')
    process = start(env_file)
    state = tmp_path / 'out/training/resume.pth'
    wait_for(process, lambda: state.is_file() and len(read_checkpoint(state)['ymir_stages']) == 2)
    os.kill(worker_of(process.pid), signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert 'epoch 1 of 2' in output and 'epoch 2 of 2' not in output
    assert monitor_of(env_file)[3:5] == ['4', '300103']
    before = result_of(env_file)
    assert list(before['model_stages']) == ['epoch_1', 'epoch_2']
    assert before['model_stages']['epoch_2']['mAP'] == 0
    assert before['best_stage_name'] == 'epoch_1'
    for name, stage in before['model_stages'].items():
        files = [str(tmp_path / 'out/models' / name / file) for file in stage['files']]
        assert run(shapes.write_candidates_task(tmp_path / name, 1, mining=False, model_params_path=files))
    config = yaml.safe_load((tmp_path / 'in/config.yaml').read_text(encoding='utf-8'))
    write_config(tmp_path, **{**config, 'args_options': '--resume'})
    output = run(env_file)
    assert 'epoch 2, validated again: AP50' in output and 'epoch 2 of' not in output  # not trained again
    after = result_of(env_file)
    assert after['model_stages']['epoch_1'] == before['model_stages']['epoch_1']
    assert after['model_stages']['epoch_2']['fn'] > 0
    assert after['attachments'] == ATTACHMENTS


def worker_of(pid: int) -> int:
    """The process of a task that does its work."""
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    (worker,) = (child for child in children if 'spawn_main' in Path(f'/proc/{child}/cmdline').read_text())
    return int(worker)


@pytest.mark.parametrize(
    'protocol, folder, keys',
    [
        (None, '', ['model', 'map']),
        ('1.0.0', '', ['best_stage_name', 'mAP', 'model_stages', 'evaluate_config', 'attachments']),
    ],
)
def test_older_protocols_have_their_files_in_one_folder(tmp_path, protocol, folder, keys):
    env_file = write_small_task(tmp_path, protocol=protocol)
    run(env_file)
    result = result_of(env_file)
    assert list(result) == keys
    files = result['model'] if protocol is None else result['model_stages']['epoch_1']['files']
    assert files == ['epoch_1.pth', NANO, 'epoch_1.onnx', 'epoch_1.json']
    assert all((tmp_path / 'out/models' / file).is_file() for file in files)


def test_two_ranks_evaluate_every_image_once_and_write_one_set(tmp_path):
    """And end together where nothing gets better, with parts that do not learn."""
    weights = write_random_weights(tmp_path / 'in/models/start.pth', shapes.CONFIG_FILE, shapes.CLASS_NAMES)
    keys = {'patience': 1, 'freeze': 2, 'pretrained_model_params': [str(weights)]}
    env_file = write_small_task(tmp_path, max_epochs=9, samples_per_gpu=2, **keys)  # 5 validation images: one rank pads
    for annotation in (tmp_path / 'in/annotations').glob('val-*.txt'):
        annotation.write_text('', encoding='utf-8')
    output = run(env_file, '--cpu-ranks', '2')
    stem = 'backbone.stem.conv.bn.running_mean'
    left = [tmp_path / 'out/training/resume.pth', tmp_path / 'out/models/epoch_2/epoch_2.pth']
    kept = [read_checkpoint(file)['state_dict'][stem] for file in (weights, *left)]
    assert torch.equal(kept[0], kept[1]) and torch.equal(kept[0], kept[2])
    assert output.count('images are kept in memory as they are read: room for ') == 1
    assert re.search('kept in memory: [0-9]+ of [0-9]+ images', output)
    scalars = scalars_of(env_file)
    assert scalars['coco/images'] == [5, 5]
    assert len(scalars['waiting']) == 2
    assert all(math.isfinite(value) for value in scalars['loss'])
    assert len(list((tmp_path / 'out/tensorboard').iterdir())) == 1
    assert monitor_of(env_file)[2:] == ['1.00', '2']
    assert result_of(env_file)['model_stages']


def test_a_kill_leaves_a_model_that_loads(tmp_path):
    env_file = write_small_task(tmp_path, max_epochs=500, max_keep_checkpoints=2)
    process = start(env_file)
    result_file = tmp_path / 'out/models/result.yaml'
    wait_for(process, lambda: result_file.is_file() and 'epoch_4' in result_file.read_text(encoding='utf-8'))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    stages = result_of(env_file)['model_stages']
    assert 2 <= len(stages) <= 5  # two best and two latest, and one that was not taken off the list yet
    for name, stage in stages.items():
        for file in stage['files']:
            path = tmp_path / 'out/models' / name / file
            assert read_checkpoint(path) if file.endswith('.pth') else read_plain_config(path)


def test_validation_without_objects_gives_zero_and_succeeds(tmp_path):
    env_file = write_small_task(tmp_path)
    for annotation in (tmp_path / 'in/annotations').glob('val-*.txt'):
        annotation.write_text('')
    run(env_file)
    result = result_of(env_file)
    assert (result['mAP'], result['model_stages']['epoch_1']['mAR']) == (0.0, 0.0)


@pytest.mark.parametrize(
    'changes, stages',
    [
        ({'args_options': '--no-validate', 'val_interval': 2}, ['epoch_2', 'epoch_3']),
        ({'cfg_options': SMALL['cfg_options'] + ' train_cfg.val_begin=9'}, ['epoch_3']),
    ],
)
def test_without_validation_models_are_left_all_the_same(tmp_path, changes, stages):
    env_file = write_small_task(tmp_path, max_epochs=3, max_keep_checkpoints=-1, **changes)
    if 'args_options' in changes:  # then there need not be any image to validate with
        (tmp_path / 'in/val-index.tsv').write_text('')
    output = run(env_file)
    assert list(result_of(env_file)['model_stages']) == stages
    assert result_of(env_file)['mAP'] == 0
    assert 'its mAP is given as 0' in output


def test_training_goes_on_from_its_own_package_by_its_own_config(two_epochs, tmp_path):
    models = read_env(two_epochs[0]).output.models_dir
    files = [str(models / 'epoch_2/epoch_2.pth'), str(models / 'epoch_2' / NANO)]
    env_file = write_small_task(tmp_path, pretrained_model_params=files, config_file=NANO, cfg_options='')
    output = run(env_file)
    assert f'weights: {files[0]}, 642 of 642 parameters loaded' in output
    assert 'learning rate 0.0015749' in output  # 0.01 * (4 / 64) ** (2 / 3): not scaled a second time
    config = read_plain_config(tmp_path / 'out/models/epoch_1' / NANO)
    assert config['test_dataloader']['dataset']['pipeline'][1]['scale'] == (96, 96)


@pytest.mark.parametrize(
    'config_file, size',
    [
        ('configs/retinanet/retinanet_r18_fpn_1x_coco.py', '96,64'),
        ('configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', '64'),
    ],
)
def test_other_detectors_of_mmdet_train(tmp_path, config_file, size):
    env_file = write_small_task(tmp_path, train=4, val=2, config_file=config_file, input_size=size, cfg_options='')
    output = run(env_file)
    assert 'the backbone starts from random weights' in output
    files = result_of(env_file)['model_stages']['epoch_1']['files']
    graph = ['epoch_1.onnx', 'epoch_1.json'] if 'retinanet' in config_file else []
    assert files == ['epoch_1.pth', Path(config_file).name, *graph]
    assert ('no ONNX graph is written of epoch_1: FasterRCNN is no dense detector' in output) == (not graph)


def test_training_goes_on_from_a_package_of_the_predecessor(tmp_path):
    """With its config; what it leaves is a package of today, by the same name."""
    random = write_random_weights(tmp_path / 'random.pth', shapes.CONFIG_FILE, ('one', 'two'))
    files = mmdet2.write_package(tmp_path, read_checkpoint(random)['state_dict'], ('one', 'two'), side=96)
    env_file = write_small_task(tmp_path, pretrained_model_params=[str(file) for file in files], config_file=NANO)
    output = run(env_file)
    assert f'weights: {tmp_path / mmdet2.BEST}, 636 of 642 parameters loaded' in output
    assert 'of the file are not in the model' not in output
    (stage,) = result_of(env_file)['model_stages'].values()
    left = read_plain_config(tmp_path / 'out/models' / stage['stage_name'] / NANO)
    assert 'data' not in left and left['model']['bbox_head']['num_classes'] == 3


def test_patterns_choose_what_is_listed(tmp_path):
    env_file = write_small_task(tmp_path, ymir_saved_file_patterns=r'.*\.pth, nothing')
    run(env_file)
    assert result_of(env_file)['model_stages']['epoch_1']['files'] == ['epoch_1.pth']


def test_a_failure_of_one_of_two_ranks_is_told_with_line_and_last_words(tmp_path):
    env_file = write_small_task(tmp_path)
    annotation = tmp_path / 'in/annotations/train-1.txt'
    annotation.write_text('0, 1, 2, 3\n', encoding='utf-8')
    output = run(env_file, '--cpu-ranks', '2', status=1)
    code, message = monitor_of(env_file)[4:6]
    assert code == '300002'
    assert f'{annotation}:1: expected class_id, xmin, ymin, xmax, ymax' in message
    assert message in output.splitlines()[-1]
    assert not (tmp_path / 'out/models/result.yaml').exists()
