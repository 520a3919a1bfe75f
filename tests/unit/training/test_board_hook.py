"""What TensorBoard is told while a training goes on, under names that are the same in each."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from executor.contract.output.training_result import EVALUATE_CONFIG, Stage
from executor.evaluation.coco import NOTHING_MEASURED, evaluate
from executor.training.board_backend import BoardBackend
from executor.training.board_hook import BoardHook, is_shown
from executor.training.metric import NOT_VALIDATED, DetectionMetric, Validation
from executor.training.stage_state import TrainedStage
from tests.support.board import board_runner, pixels, read_board
from tests.unit.evaluation.cases import image, random_results

CAT, DOG = (0, 0, 0, 100, 100), (1, 200, 0, 300, 100)


class Training:
    """A training of 20 epochs that has been validated by images of one size."""

    def __init__(self, ymir_task, folder, board, names=('cat', 'dog'), **changes) -> None:
        self.folder, self.names = folder, names
        resize = [{'type': 'Resize', 'scale': (96, 64), 'keep_ratio': True}]
        self.config = Config(
            {
                'train_cfg': {'max_epochs': 20, 'val_interval': 1},
                'optim_wrapper': {'optimizer': {'lr': 0.01}},
                'train_dataloader': {'batch_size': 4},
                'param_scheduler': [],
                'test_dataloader': {'dataset': {'pipeline': resize}},
            }
        )
        params = ymir_task.job(class_names=list(names), config_file='configs/yolox.py', freeze='2', **changes).training
        self.metric = DetectionMetric()
        loader = SimpleNamespace(batch_size=4, dataset=range(20))
        optimizer = torch.optim.SGD(torch.nn.Linear(3, 2).parameters(), lr=0.01)
        self.runner = SimpleNamespace(
            **board_runner(board, rank=0, epoch=0, max_epochs=20, world_size=2, seed=7, cfg=self.config),
            **{'model': torch.nn.Linear(3, 2), 'train_dataloader': loader},
            optim_wrapper=SimpleNamespace(optimizer=optimizer),
            val_evaluator=SimpleNamespace(metrics=[self.metric]),
        )
        self.store = SimpleNamespace(best=None)
        self.hook = BoardHook(self.store, params, self.config, '/weights/a.pth')

    def validate(self, epoch: int, results) -> None:
        path = str(self.folder / 'a.jpg')
        cv2.imwrite(path, np.full((100, 300, 3), 90, np.uint8))
        found = evaluate(results, self.names, EVALUATE_CONFIG)
        self.metric.validation = Validation(found, len(results), [path] * len(results), [(path, r) for r in results])
        stage = Stage(f'epoch_{epoch}', epoch, (), found.mAP_50, found.mAR, 0, 0, 0, 0)
        self.store.best = TrainedStage(stage, found.classes, ())
        self.runner.epoch = epoch
        self.hook.after_val_epoch(self.runner)


@pytest.fixture
def training(ymir_task, tmp_path, board):
    return Training(ymir_task, tmp_path, board)


def test_what_trainings_are_compared_by(training, board):
    training.hook.before_train(training.runner)
    shown = read_board(board.path.parent)
    assert shown.settings == {
        **{'config_file': 'yolox.py', 'input_size': '96x64', 'freeze': '2', 'mosaic': 'auto', 'weights': 'a.pth'},
        **{'batch': 8.0, 'learning_rate': 0.01, 'max_epochs': 20.0, 'seed': 7.0, 'training_images': 20.0},
    }
    assert shown.metrics == ['best/AP50', 'best/AP', 'best/mAR']
    assert '| seed | 7 |' in shown.texts['settings'][0] and '| torch | ' in shown.texts['settings'][0]


def test_a_validation_by_hand(training, board):
    """Of two cats one is found at 0.9; the dog at 0.35 by an IoU of 0.82, and at 0.6 where none is."""
    results = [
        image(0, [CAT, DOG], [(0, 0.9, *CAT[1:]), (1, 0.35, 200, 0, 300, 82)]),
        image(1, [CAT], [(1, 0.6, 0, 0, 9, 9)]),
    ]
    training.validate(3, results)
    shown = read_board(board.path.parent)
    curves = shown.curves
    assert set(curves) == {'precision and recall/all classes', 'precision and recall by class/cat'} | {
        'precision and recall by class/dog'
    }
    tp, fp, _, fn, precision, recall = curves['precision and recall/all classes'][3]
    at = [0, 35, 36, 60, 61, 90, 91]  # hundredths of a score
    assert tp[at].tolist() == [2, 2, 1, 1, 1, 1, 0] and fp[at].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert fn[at].tolist() == [1, 1, 2, 2, 2, 2, 3]
    assert precision[at] == pytest.approx([2 / 3, 2 / 3, 0.5, 0.5, 1, 1, 0])
    assert recall[at] == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 0])
    precision, recall = curves['precision and recall by class/dog'][3][4:, [0, 36]]
    assert precision == pytest.approx([0.5, 0]) and recall == pytest.approx([1, 0])
    assert shown.scalars == {
        'best/AP50': {3: pytest.approx((51 / 101 + 0.5) / 2)},
        'best/AP': {3: pytest.approx((51 / 101 + 0.7 * 0.5) / 2)},
        'best/mAR': {3: pytest.approx(0.75)},
    }
    grid = pixels(shown.images['validation/true and found boxes'][3])
    assert grid.shape == (200 + 28, 2 * 480, 3)  # two tiles of the least height, below a line
    assert len(np.unique(grid.reshape(-1, 3), axis=0)) > 50  # boxes and names


def test_pictures_and_curves_are_of_few_images_classes_and_validations(ymir_task, tmp_path, board):
    names = tuple(f'class {number}' for number in range(30))
    training = Training(ymir_task, tmp_path, board, names)
    results = random_results(20, 30)
    for epoch in range(1, 21):
        training.validate(epoch, results)
    shown = read_board(board.path.parent)
    assert list(shown.images['validation/true and found boxes']) == [3, 6, 9, 12, 15, 18, 20]
    assert list(shown.scalars['best/AP50']) == list(range(1, 21))
    true_boxes = {one.name: one.true_boxes for one in training.store.best.classes if one.true_boxes}
    drawn = {tag.partition('/')[2] for tag in shown.curves if tag.startswith('precision and recall by class/')}
    assert len(drawn) == 20
    assert max(true_boxes[name] for name in drawn) <= min(true_boxes[name] for name in set(true_boxes) - drawn)
    assert pixels(shown.images['validation/true and found boxes'][20]).shape[1] == 1280  # three tiles, made smaller


@pytest.mark.parametrize('epochs, interval, most', [(1, 1, 1), (9, 1, 9), (10, 1, 5), (300, 1, 9), (300, 10, 8)])
def test_at_most_ten_validations_are_shown_and_the_last(epochs, interval, most):
    validated = sorted({*range(interval, epochs + 1, interval), epochs})
    shown = [epoch for epoch in validated if is_shown(epoch, epochs, interval)]
    assert len(shown) == most <= 10 and shown[-1] == epochs


@pytest.mark.parametrize('results', [[], [image(0)], [image(0, [], [(0, 0.5, 0, 0, 9, 9)])]])
def test_a_validation_of_nothing_costs_nothing(training, board, caplog, results):
    training.validate(3, results)
    assert caplog.messages == []
    shown = read_board(board.path.parent)
    assert list(shown.curves) == ['precision and recall/all classes']
    assert shown.scalars['best/AP'] == {3: 0}


def test_a_validation_that_measured_nothing_costs_nothing(training, board, caplog):
    training.metric.validation = NOT_VALIDATED
    stage = Stage('epoch_20', 20, (), 0, 0, 0, 0, 0, 0)
    training.store.best = TrainedStage(stage, NOTHING_MEASURED.classes, ())
    training.runner.epoch = 20
    training.hook.after_val_epoch(training.runner)
    assert caplog.messages == [] and not read_board(board.path.parent).images


def test_an_image_that_is_gone_costs_a_warning(training, board, caplog):
    training.validate(1, [image(0)])
    training.metric.validation = Validation(training.metric.validation.evaluation, 1, (), [('/nowhere.jpg', image(0))])
    training.runner.epoch = 20
    training.hook.after_val_epoch(training.runner)
    assert len(caplog.messages) == 1 and 'tensorboard lacks something: ' in caplog.text


def test_other_ranks_write_nothing(training, board):
    training.runner.rank = 1
    training.hook.before_train(training.runner)
    training.validate(20, random_results(3, 2))
    assert not read_board(board.path.parent).scalars


def test_what_mmengine_tells_goes_into_the_same_file(tmp_path):
    backend = BoardBackend(str(tmp_path / 'a'))
    assert not (tmp_path / 'a').exists()  # nothing on the ranks that tell nothing
    backend.add_config(Config({'lr': 0.5, 'note': '<b>'}))
    backend.add_scalar('waiting', torch.tensor(0.25), 3)
    backend.add_scalars({'loss': 1, 'lr': np.float32(0.5)}, step=4, file_path='a.json')
    backend.close()
    backend.add_scalar('late', 1.0)  # the page of the model comes after mmengine's end
    backend.experiment.close()
    shown = read_board(tmp_path / 'a')
    assert shown.scalars == {'waiting': {3: 0.25}, 'loss': {4: 1.0}, 'lr': {4: 0.5}, 'late': {0: 1.0}}
    assert '    lr = 0.5' in shown.texts['config'][0]
    assert len(list((tmp_path / 'a').iterdir())) == 1
