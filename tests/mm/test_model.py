"""A model package made into a model, and what is said of one that does not fit."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from executor.contract.errors import ConfigError, ModelError
from executor.contract.params import InferParams
from executor.mm.checkpoints import read_checkpoint, save_weights
from executor.mm.config_file import config_text, load_config
from executor.mm.model import load_model
from tests.random_model import NANO, write_random_weights

CLASSES = ('cat', 'dog')


@pytest.fixture(scope='module')
def weights(tmp_path_factory) -> Path:
    """Bare weights of two classes, without names."""
    return write_random_weights(tmp_path_factory.mktemp('weights') / 'bare.pth', classes=CLASSES)


def params(*files: Path, class_names=CLASSES, **values) -> InferParams:
    return InferParams(class_names=tuple(class_names), gpu_ids=(), model_files=files, **values)


def package(folder: Path, weights: Path, names=('config.py',), **meta) -> list[Path]:
    """Weights with facts beside configs of the given names, as a training leaves them."""
    save_weights(folder / 'epoch_1.pth', read_checkpoint(weights)['state_dict'], meta)
    text = config_text(load_config(NANO))
    for name in names:
        (folder / name).write_text(text)
    return [folder / 'epoch_1.pth', *(folder / name for name in names)]


def test_a_package_needs_nothing_else(tmp_path, weights):
    trained = load_model(params(*package(tmp_path, weights, dataset_meta={'classes': CLASSES})))
    assert trained.class_names == CLASSES
    assert trained.score_threshold == 0.01
    assert not trained.model.training
    assert [transform['type'] for transform in trained.pipeline][1:3] == ['Resize', 'Pad']
    stored = read_checkpoint(weights)['state_dict']
    loaded = trained.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in stored.items())


def test_of_several_weights_the_best_is_used(tmp_path, weights):
    parameters = read_checkpoint(weights)['state_dict']
    name = 'bbox_head.multi_level_conv_obj.0.bias'
    for epoch, mAP in ((1, 0.4), (2, 0.6), (3, 0.5)):
        changed = {**parameters, name: torch.full((1,), float(epoch))}
        save_weights(tmp_path / f'epoch_{epoch}.pth', changed, {'epoch': epoch, 'mAP': mAP})
    files = [tmp_path / f'epoch_{epoch}.pth' for epoch in (3, 2, 1)]
    assert float(load_model(params(*files, config_file=NANO)).model.state_dict()[name]) == 2


def test_the_config_that_the_weights_name_is_chosen(tmp_path, weights):
    files = package(tmp_path, weights, ('a.py', 'b.py'), config_file='b.py')
    (tmp_path / 'a.py').write_text('model = 1\n')
    assert load_model(params(*files)).class_names == CLASSES


@pytest.mark.parametrize(
    'names, config_file, words',
    [
        ((), '', ['comes with no config', 'set config_file']),
        (('a.py', 'b.py'), '', ['several configs: a.py, b.py']),
    ],
)
def test_a_config_is_needed(tmp_path, weights, names, config_file, words):
    with pytest.raises(ModelError) as error:
        load_model(params(*package(tmp_path, weights, names), config_file=config_file))
    assert all(word in str(error.value) for word in ['epoch_1.pth', *words])


@pytest.mark.parametrize('files, found', [((), 'nothing'), (('a.py', 'b.onnx'), 'a.py, b.onnx')])
def test_weights_are_needed(tmp_path, files, found):
    with pytest.raises(ModelError, match=f'model_params_path lists no .pth or .pt file.*found {found}'):
        load_model(params(*(tmp_path / name for name in files)))


def test_another_number_of_names_shows_both_lists(tmp_path, weights):
    files = package(tmp_path, weights, dataset_meta={'classes': CLASSES})
    with pytest.raises(ModelError) as error:
        load_model(params(*files, class_names=('car', 'bus', 'tram')))
    assert '2 classes (cat, dog)' in str(error.value)
    assert 'class_names has 3 (car, bus, tram)' in str(error.value)


def test_other_names_of_the_same_number_are_told(tmp_path, weights, caplog):
    files = package(tmp_path, weights, dataset_meta={'classes': CLASSES})
    with caplog.at_level(logging.WARNING):
        assert load_model(params(*files, class_names=('cat', 'wolf'))).class_names == ('cat', 'wolf')
    assert 'not those of the model: wolf for dog' in caplog.text


def test_weights_without_names_tell_their_number(weights):
    with pytest.raises(ModelError) as error:
        load_model(params(weights, class_names=('car', 'bus', 'tram'), config_file=NANO))
    assert 'another number of classes' in str(error.value)
    assert '3 class_names (car, bus, tram); the file is for 2' in str(error.value)


def test_weights_of_another_architecture_are_refused(weights):
    with pytest.raises(ModelError, match=r'bare.pth does not fit the config: of its \d+ parameters \d+ are missing'):
        load_model(params(weights, config_file='configs/retinanet/retinanet_r50_fpn_1x_coco.py'))


@pytest.mark.parametrize(
    'values, expected',
    [
        ({}, (0.01, 0.65)),
        ({'iou_threshold': 0.4}, (0.01, 0.4)),
        ({'cfg_options': {'model.test_cfg.score_thr': 0.3}}, (0.3, 0.65)),
        ({'cfg_options': {'model.test_cfg.nms.iou_threshold': 0.1}, 'iou_threshold': 0.4}, (0.01, 0.1)),
    ],
)
def test_thresholds(weights, values, expected):
    test_cfg = load_model(params(weights, config_file=NANO, **values)).model.bbox_head.test_cfg
    assert (test_cfg.score_thr, test_cfg.nms.iou_threshold) == expected


def test_the_score_threshold_of_the_task_gives_way_to_options(weights):
    assert load_model(params(weights, config_file=NANO), score_threshold=0.5).score_threshold == 0.5
    options = {'model.test_cfg.score_thr': 0.3}
    assert load_model(params(weights, config_file=NANO, cfg_options=options), 0.5).score_threshold == 0.3


@pytest.mark.parametrize(
    'options, expected',
    [({}, 0.005), ({'model.test_cfg.score_thr': 0.3}, 0.3), ({'model.test_cfg.score_thr': 0.001}, 0.001)],
)
def test_inference_beside_mining_lowers_the_threshold_unless_options_set_it(weights, options, expected):
    trained = load_model(params(weights, config_file=NANO, cfg_options=options), at_most=0.005)
    assert trained.model.bbox_head.test_cfg.score_thr == expected
    assert trained.score_threshold == options.get('model.test_cfg.score_thr', 0.01)


def test_a_two_stage_detector_has_its_thresholds_in_the_second(tmp_path):
    config = 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    file = write_random_weights(tmp_path / 'w.pth', config, CLASSES)
    trained = load_model(params(file, config_file=config, iou_threshold=0.33), score_threshold=0.2)
    assert trained.score_threshold == 0.2
    assert trained.model.roi_head.test_cfg.score_thr == 0.2
    assert trained.model.roi_head.test_cfg.nms.iou_threshold == 0.33
    assert trained.model.rpn_head.test_cfg.nms.iou_threshold == 0.7


def test_an_option_that_mmdet_does_not_know_is_an_error(weights):
    with pytest.raises(ConfigError, match='cfg_options'):
        load_model(params(weights, config_file=NANO, cfg_options={'modell.test_cfg': 1}))
