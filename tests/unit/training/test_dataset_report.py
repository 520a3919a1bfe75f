"""The page before the first epoch: what it is given, the batches on it, and that it costs no training."""

from __future__ import annotations

import json
import logging
import random
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.engine.hooks import YOLOXModeSwitchHook
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from demo import shapes
from demo.task_folder import add_annotation, add_image
from desk.task_folder import write_index
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.output.training_result import TrainingResult
from executor.images.prepare import Letterbox
from executor.models.families import register_parts
from executor.training import dataset_report
from executor.training.build_config import build_config
from executor.training.dataset_report import DatasetReportHook
from executor.training.first_batches import first_batches
from executor.training.stage_store import StageStore
from tests.support.board import board_runner, pixels, read_board


@pytest.fixture
def begun(tmp_path, board):
    """A training that is about to begin: its hook, its runner, the files of its page."""

    def make(epoch: int = 0, train: int = 6, **config):
        register_parts()
        init_default_scope('mmdet')
        options = {'samples_per_gpu': 2, 'workers_per_gpu': 1, 'cfg_options': shapes.size_options(96, spread=0)}
        job = read_job(read_env(shapes.write_task(tmp_path, train, 2, **{**options, **config})))
        params = job.training
        resolved = build_config(job.env, params, train, ranks=1)
        loaders = [Runner.build_dataloader(resolved[f'{name}_dataloader'], seed=5) for name in ('train', 'val')]
        runner = SimpleNamespace(rank=0, epoch=epoch, max_epochs=9, val_loop=True, hooks=[], **board_runner(board))
        runner.train_dataloader, runner.val_dataloader = loaders
        store = StageStore(TrainingResult(job.env), params)
        hook = DatasetReportHook(store, params.class_names, resolved)
        folder = job.env.output.models_dir / 'attachments' / 'dataset'
        return SimpleNamespace(
            hook=hook, runner=runner, store=store, page=folder / 'dataset.html', numbers=folder / 'dataset.json'
        )

    return make


def test_the_page_is_written_listed_and_told(begun, caplog):
    caplog.set_level(logging.INFO, logger='executor')
    training = begun()
    training.hook.before_train(training.runner)
    numbers = json.loads(training.numbers.read_text(encoding='utf-8'))
    assert (numbers['training']['images'], numbers['validation']['images']) == (6, 2)
    assert (numbers['input_size'], numbers['classes']) == ([96, 96], list(shapes.CLASS_NAMES))
    text = training.page.read_text(encoding='utf-8')
    assert text.count('<h3>Batch ') == 3 and text.count('data:image/jpeg') == 6
    assert training.store.attachments == {'dataset': ['dataset.html', 'dataset.json']}
    assert set(training.store.result.made.all()) >= {training.page, training.numbers}
    told = '\n'.join(caplog.messages)
    assert f'training: {numbers["training"]["boxes"]} boxes in 6 images' in told
    assert f'page of the dataset: {training.page}; its numbers: {training.numbers}' in told


def test_tensorboard_has_the_batches_and_the_classes(begun, board):
    training = begun()
    training.hook.before_train(training.runner)
    shown = read_board(board.path.parent)
    assert list(shown.images) == [f'dataset/training batch {number}' for number in (1, 2, 3)]
    assert {pixels(image[0]).shape for image in shown.images.values()} == {(96, 192, 3)}  # two pictures
    assert pixels(shown.images['dataset/training batch 1'][0]).std() > 10
    numbers = json.loads(training.numbers.read_text(encoding='utf-8'))
    boxes, images = (numbers['training']['classes'][what][0] for what in ('boxes', 'images'))
    assert f'| {shapes.CLASS_NAMES[0]} | {boxes} | {images} | ' in shown.texts['dataset'][0]


def test_a_board_that_fails_costs_no_page(begun, board, caplog, monkeypatch):
    training = begun()
    monkeypatch.setattr(board, 'image', lambda *_: 1 / 0)
    training.hook.before_train(training.runner)
    assert 'tensorboard lacks something: ZeroDivisionError' in caplog.text
    assert training.store.attachments == {'dataset': ['dataset.html', 'dataset.json']}


def test_without_validation_the_page_is_of_the_training_set(begun):
    training = begun()
    training.runner.val_loop, training.runner.val_dataloader = None, None
    training.hook.before_train(training.runner)
    assert json.loads(training.numbers.read_text(encoding='utf-8'))['validation'] is None


def test_other_ranks_write_nothing(begun):
    training = begun()
    training.runner.rank = 1
    training.hook.before_train(training.runner)
    assert not training.page.exists() and training.store.attachments == {}


def test_a_training_that_goes_on_keeps_the_page_and_lists_it(begun, monkeypatch):
    training = begun(epoch=3)
    training.page.parent.mkdir(parents=True)
    training.page.write_text('of the training before')
    training.numbers.write_text('{}')
    training.hook.before_train(training.runner)
    assert training.page.read_text() == 'of the training before'
    assert training.store.attachments == {'dataset': ['dataset.html', 'dataset.json']}


def test_a_training_that_goes_on_elsewhere_writes_the_page(begun):
    training = begun(epoch=3)
    training.hook.before_train(training.runner)
    assert training.page.is_file()


def test_images_and_boxes_are_those_that_are_trained_on(tmp_path, ymir_task):
    """Two images of 30 x 20, resized to 15 x 10; a box that leaves its image counts as it was cut."""
    data = cv2.imencode('.png', np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    texts = ('1, 10, 2, 39, 11', '')
    rows = [
        (add_image(tmp_path, f'{n}.png', data), add_annotation(tmp_path, f'{n}.txt', text))
        for n, text in enumerate(texts)
    ]
    register_parts()
    inner = {
        'type': 'YmirDataset',
        'index_file': str(write_index(tmp_path, 'train-index.tsv', rows)),
        'export_format': 'ark:raw',
        'metainfo': {'classes': ('cat', 'dog')},
        'pipeline': [{'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations', 'with_bbox': True}],
    }
    init_default_scope('mmdet')
    wrapped = DATASETS.build({'type': 'MultiImageMixDataset', 'dataset': inner, 'pipeline': []})
    found = dataset_report._images_of(wrapped, Letterbox((15, 15), keep_ratio=True))
    assert [path.rpartition('/')[2] for path in found.paths] == ['0.png', '1.png']
    assert (found.size.tolist(), found.input_size.tolist()) == ([[30, 20]] * 2, [[15, 10]] * 2)
    assert (found.image.tolist(), found.box.tolist(), found.label.tolist()) == ([0], [[10, 2, 30, 12]], [1])


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_batches_are_those_that_the_loader_will_give(begun, workers):
    """Of three workers each makes one of the first three batches."""
    loader = begun(workers_per_gpu=workers).runner.train_dataloader
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    threads = torch.get_num_threads()
    made = first_batches(loader, 3)
    torch.set_num_threads(threads)
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    given = list(loader)
    assert len(made) == len(given) == 3
    for pictures, batch in zip(made, given):
        for picture, inputs, sample in zip(pictures, batch['inputs'], batch['data_samples']):
            assert (picture.pixels == inputs.permute(1, 2, 0).numpy()).all()
            assert (picture.boxes == sample.gt_instances.bboxes.tensor.numpy()).all()
            assert (picture.labels == sample.gt_instances.labels.numpy()).all()


def test_the_closing_epochs_are_shown_as_they_are(begun):
    """YOLOX ends without mosaic, from the first epoch on where it has no more."""
    shown = []
    for last in (7, 8):
        training = begun()
        training.runner.hooks = [YOLOXModeSwitchHook(num_last_epochs=last)]
        training.runner.model = SimpleNamespace(bbox_head=SimpleNamespace())
        training.runner.logger = logging.getLogger('mmengine')
        training.hook.before_train(training.runner)
        shown.append(training.page.read_text(encoding='utf-8').partition('What the model will see')[2])
    assert shown[0] != shown[1] and all(text.count('data:image/jpeg') == 6 for text in shown)
    assert training.runner.train_dataloader.dataset._skip_type_keys is None


def test_nothing_of_the_training_changes(begun):
    training = begun(workers_per_gpu=0)
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    expected = next(iter(training.runner.train_dataloader))['inputs']
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    training.hook.before_train(training.runner)
    assert all(map(torch.equal, next(iter(training.runner.train_dataloader))['inputs'], expected))


@pytest.mark.parametrize('error', [OSError(28, 'No space left on device'), MemoryError(), RuntimeError('no font')])
@pytest.mark.parametrize('where', ['dataset_page', 'write_page'])
def test_a_page_that_cannot_be_made_is_a_warning(begun, monkeypatch, caplog, error, where):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(dataset_report, where, fail)
    training = begun()
    training.hook.before_train(training.runner)
    assert not training.page.exists() and training.store.attachments == {}
    assert 'dataset.html could not be made: ' in caplog.text and type(error).__name__ in caplog.text


def test_batches_that_cannot_be_made_leave_the_rest(begun, monkeypatch):
    def fail(*_: object) -> None:
        raise ValueError('no <batch>\nat all')

    monkeypatch.setattr(dataset_report, 'first_batches', fail)
    training = begun()
    training.hook.before_train(training.runner)
    assert 'They cannot be shown: no &lt;batch&gt;.' in training.page.read_text(encoding='utf-8')
