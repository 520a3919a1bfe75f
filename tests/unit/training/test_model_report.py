"""The page at the end of a training: what it is given, and that it costs no training."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from executor.contract.output.training_result import EVALUATE_CONFIG, Stage
from executor.evaluation.coco import evaluate
from executor.training import model_report
from executor.training.metric import Validation
from executor.training.model_report import write_page
from tests.support.board import board_runner, read_board
from tests.unit.evaluation.cases import random_results


@pytest.fixture
def write(ymir_task, tmp_path, board):
    """Write the page of a validation of ten images that are nowhere."""
    config = {
        'train_cfg': {'max_epochs': 9},
        'optim_wrapper': {'optimizer': {'lr': 0.01}},
        'train_dataloader': {'batch_size': 4},
        'param_scheduler': [],
    }
    runner = SimpleNamespace(
        model=torch.nn.Linear(3, 2),
        cfg=config,
        world_size=2,
        seed=7,
        train_dataloader=SimpleNamespace(batch_size=4),
        **board_runner(board),
    )
    stage = Stage('epoch_3', 3, (), 0.5, 0.5, 0, 0, 0, 0)
    runner.train_dataloader.dataset = range(20)
    params = ymir_task.job(class_names=['cat', 'dog'], config_file='configs/yolox.py', args_options='--seed 5').training
    evaluation = evaluate(random_results(10, 2), params.class_names, EVALUATE_CONFIG)
    validation = Validation(evaluation, 10, [f'/nowhere/{n}.jpg' for n in range(10)], ())
    files = tmp_path / 'a' / 'report.html', tmp_path / 'a' / 'report.json'

    def run() -> tuple:
        write_page(*files, stage, validation, {3: {'loss': 1.0}}, runner, params, '/weights/a.pth', None)
        return files

    return run


def test_settings(write):
    _, numbers = write()
    found = json.loads(numbers.read_text(encoding='utf-8'))
    assert (found['title'], found['stage'], found['history']) == ('yolox.py', 'epoch_3', [{'epoch': 3, 'loss': 1.0}])
    training = found['settings']['Training']
    assert training['detector'] == 'Linear, 8 parameters'
    assert (training['weights it began with'], training['training images']) == ('/weights/a.pth', 20)
    assert training['seed'] == 7
    assert '9 epochs, total batch 8, learning rate 0.01' in training['schedule'] and training['ran on'] == 'CPU'
    assert found['settings']['Parameters']['config_file'] == 'configs/yolox.py'
    assert found['settings']['Parameters']['args_options'] == "{'seed': 5}"
    assert found['settings']['Parameters']['cfg_options'] == ''
    assert 'places' not in found['settings']['Parameters']
    assert found['settings']['Versions']['torch'] == torch.__version__


@pytest.mark.parametrize('error', [OSError(28, 'No space left on device'), MemoryError(), RuntimeError('no font')])
def test_a_page_that_cannot_be_made_is_a_warning(write, monkeypatch, caplog, error):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(model_report, 'write_model_report', fail)
    page, _ = write()
    assert not page.exists()
    assert f'report.html could not be made: {type(error).__name__}: ' in caplog.text


def test_tensorboard_has_the_figures_and_the_table(write, board):
    _, numbers = write()
    shown = read_board(board.path.parent)
    figures = ['AP50 that each kind of error costs', 'calibration', 'confusion, by true class', 'precision by recall']
    figures += ['precision, recall and F1 by score', 'predictions by score']
    assert sorted(shown.images) == [f'best model/{name}' for name in figures]  # its images are nowhere
    assert all(list(of) == [3] for of in (*shown.images.values(), shown.texts['best model/classes']))
    for row in json.loads(numbers.read_text(encoding='utf-8'))['classes']:
        assert f'| {row["name"]} | {row["true_boxes"]} | {row["ap_50"]:.3f} | ' in shown.texts['best model/classes'][3]
    assert '8 parameters' in shown.texts['settings'][3]
    assert shown.texts['best model/worst images'][3].count('errors, ') == len(shown.images) + 4


def test_a_full_disk_leaves_nothing_half(write, tmp_path, caplog):
    (tmp_path / 'a').write_text('in the way of the folder')
    write()
    assert 'report.html could not be made: FileExistsError' in caplog.text


def test_of_very_many_predictions_some_images_are_kept():
    evaluation = evaluate(random_results(10, 2), ('cat', 'dog'), EVALUATE_CONFIG)
    paths = [f'{n}.jpg' for n in range(10)]
    validation = Validation(evaluation, 10, paths, ())
    predictions = len(evaluation.details.matches.image)
    assert validation.bounded(predictions) is validation
    part = validation.bounded(-(-predictions // 3))
    assert part.paths == ['0.jpg', '3.jpg', '6.jpg', '9.jpg']
    assert part.evaluation.details.matches.images == 4
    assert (part.images, part.evaluation.mAP_50) == (10, evaluation.mAP_50)
