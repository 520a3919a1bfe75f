"""The ONNX graph at the end of a training: what comes with it, and that it costs neither a package nor a training."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest
import yaml

from executor.config.overrides import set_classes
from executor.config.plain import config_text
from executor.config.read import load_config
from executor.contract.output.training_result import EVALUATE_CONFIG, TrainingResult
from executor.contract.params import InferParams
from executor.detector import export
from executor.detector.model import load_model
from executor.evaluation.coco import evaluate
from executor.training import stage_onnx
from executor.training.metric import Validation
from executor.training.stage_onnx import export_best, load_best
from executor.training.stage_store import StageStore
from tests.support.random_model import NANO, write_random_weights
from tests.support.task_folder import names_in
from tests.unit.evaluation.cases import image

CLASSES = ('cat', 'dog')
FILES = ('epoch_1.pth', 'yolox_nano.py')
# A cat is found at 0.9; the only dog is not.
FOUND = evaluate([image(0, [(0, 0, 0, 9, 9), (1, 50, 50, 90, 90)], [(0, 0.9, 0, 0, 9, 9)])], CLASSES, EVALUATE_CONFIG)


@pytest.fixture
def stage(ymir_task):
    """A training that is over, with one stage; gives its store, parameters and validation."""

    def make(**params):
        job = ymir_task.job(class_names=list(CLASSES), config_file='configs/yolox/yolox_nano.py', **params)
        store = StageStore(TrainingResult(ymir_task.env()), job.training)
        folder = store.result.stage_dir('epoch_1')
        folder.mkdir(parents=True)
        write_random_weights(folder / FILES[0], NANO, CLASSES, dataset_meta={'classes': CLASSES})
        config = load_config(NANO)
        set_classes(config, CLASSES)
        config['test_dataloader'] = config['val_dataloader']
        config['test_dataloader']['dataset']['pipeline'][1]['scale'] = (64, 64)
        (folder / FILES[1]).write_text(config_text(config), encoding='utf-8')
        store.add('epoch_1', 1, FOUND, FILES)
        return store, job.training, Validation(FOUND, 1, ('a.jpg',), ())

    return make


def listed(ymir_task):
    content = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text(encoding='utf-8'))
    return content['model_stages']['epoch_1']['files']


def test_the_best_stage_has_a_graph_and_its_description(ymir_task, stage):
    store, params, validation = stage()
    export_best(store, params, validation, load_best(store, params))
    assert listed(ymir_task) == [*FILES, 'epoch_1.onnx', 'epoch_1.json']
    folder = store.result.stage_dir('epoch_1')
    described = json.loads((folder / 'epoch_1.json').read_text(encoding='utf-8'))
    assert (described['stage'], described['classes']) == ('epoch_1', list(CLASSES))
    assert described['input']['shape'] == [1, 64, 64, 3] and described['letterbox']['pad_value'] == [114, 114, 114]
    assert described['choice']['nms'] == {'type': 'nms', 'iou_threshold': 0.65}
    assert described['thresholds'] == {'all': 0.45, 'classes': {'cat': 0.45, 'dog': None}}  # the middle of 0 to 0.9
    # Whatever the order of its files, a task takes the weights and the config.
    package = tuple(folder / name for name in reversed(listed(ymir_task)))
    assert load_model(InferParams(CLASSES, (), package)).pipeline[1]['scale'] == (64, 64)
    # They go with their stage.
    store.add('epoch_2', 2, dataclasses.replace(FOUND, mAP_50=0.9), ())
    assert not folder.exists()


def test_without_a_validation_there_are_no_thresholds(stage):
    store, params, _ = stage()
    export_best(store, params, None, load_best(store, params))
    text = (store.result.stage_dir('epoch_1') / 'epoch_1.json').read_text(encoding='utf-8')
    assert json.loads(text)['thresholds'] is None


def test_off(ymir_task, stage):
    store, params, validation = stage(export_onnx='off')
    export_best(store, params, validation, load_best(store, params))
    assert listed(ymir_task) == list(FILES) and names_in(store.result.stage_dir('epoch_1')) == sorted(FILES)


def test_a_second_time_nothing_is_done(stage, monkeypatch):
    store, params, validation = stage()
    export_best(store, params, validation, load_best(store, params))
    monkeypatch.setattr(stage_onnx, 'export_detector', None)
    export_best(store, params, validation, load_best(store, params))
    assert store.best.stage.files == (*FILES, 'epoch_1.onnx', 'epoch_1.json')


def test_a_full_disk_leaves_the_stage_as_it_was(ymir_task, stage, monkeypatch, caplog):
    write = stage_onnx.StageStore.extend.__globals__['replace_file']

    def full(path, content):
        if path.suffix == '.json':
            raise OSError(28, 'No space left on device')
        write(path, content)

    monkeypatch.setattr('executor.training.stage_store.replace_file', full)
    store, params, validation = stage()
    export_best(store, params, validation, load_best(store, params))
    assert 'no ONNX graph is written of epoch_1: OSError: [Errno 28] No space left on device' in caplog.text
    assert listed(ymir_task) == list(FILES) and names_in(store.result.stage_dir('epoch_1')) == sorted(FILES)


@pytest.mark.parametrize('library', ['onnxruntime'])
def test_a_library_that_is_not_there_is_a_line(ymir_task, stage, monkeypatch, caplog, library):
    monkeypatch.setitem(sys.modules, library, None)
    store, params, validation = stage()
    export_best(store, params, validation, load_best(store, params))
    assert 'no ONNX graph is written of epoch_1: ModuleNotFoundError' in caplog.text
    assert listed(ymir_task) == list(FILES)


@pytest.mark.parametrize(
    'error, level', [(export.NotExported('X is no dense detector'), 'INFO'), (MemoryError(), 'WARNING')]
)
def test_what_cannot_be_exported_is_a_line(stage, monkeypatch, caplog, error, level):
    def fail(*_):
        raise error

    monkeypatch.setattr(stage_onnx, 'export_detector', fail)
    caplog.set_level('INFO', 'executor')
    store, params, validation = stage()
    export_best(store, params, validation, load_best(store, params))
    (record,) = [one for one in caplog.records if 'ONNX' in one.message]
    assert record.levelname == level and record.message.startswith('no ONNX graph is written of epoch_1: ')
