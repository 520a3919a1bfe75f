"""A model package made into a model, and what is said of one that does not fit."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from executor.config.plain import config_text
from executor.config.read import load_config
from executor.contract.errors import ModelError, ParameterError
from executor.contract.params import InferParams
from executor.detector.model import load_model
from executor.weights.checkpoint import read_checkpoint, save_weights
from tests.support import mmdet2
from tests.support.random_model import NANO, write_random_weights

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
    for name in names:
        (folder / name).write_text(config_text(load_config(NANO)))
    return [folder / name for name in ('epoch_1.pth', *names)]


def test_a_package_needs_nothing_else(tmp_path, weights):
    trained = load_model(params(*package(tmp_path, weights, dataset_meta={'classes': CLASSES})))
    assert trained.score_threshold == 0.01
    assert not trained.model.training
    assert [transform['type'] for transform in trained.pipeline][1:3] == ['Resize', 'Pad']
    loaded = trained.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in read_checkpoint(weights)['state_dict'].items())


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
    load_model(params(*files))


@pytest.mark.parametrize('bare', [False, True])
def test_a_package_of_mmdet_2_needs_nothing_else(tmp_path, weights, bare):
    """Of its weights the best, of these the averages; how images are prepared is in its config, or in the weights."""
    parameters = read_checkpoint(weights)['state_dict']
    files = mmdet2.write_package(tmp_path, parameters, CLASSES, side=352)
    trained = load_model(params(*(files[1:] if bare else files)))
    loaded = trained.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in parameters.items())
    assert trained.pipeline[1]['scale'] == (352, 352)
    assert trained.score_threshold == 0.01


def test_the_class_count_of_a_package_of_mmdet_2_is_told(tmp_path, weights):
    files = mmdet2.write_package(tmp_path, read_checkpoint(weights)['state_dict'], CLASSES)
    with pytest.raises(ModelError, match=r'best_.*pth detects 2 classes \(cat, dog\), but class_names has 3'):
        load_model(params(*files, class_names=('a', 'b', 'c')))


@pytest.mark.parametrize(
    'names, found', [((), 'no config'), (('a.py', 'b.py'), 'several configs: a.py, b.py')], ids=['none', 'two']
)
def test_a_config_is_needed(tmp_path, weights, names, found):
    told = f'epoch_1.pth comes with {found}: set config_file to .*, such as configs/yolox/yolox_tiny_8x8_300e_coco.py$'
    with pytest.raises(ModelError, match=told):
        load_model(params(*package(tmp_path, weights, names)))


@pytest.mark.parametrize('files, found', [((), 'nothing'), (('a.py', 'b.onnx'), 'a.py, b.onnx')])
def test_weights_are_needed(tmp_path, files, found):
    with pytest.raises(ModelError, match=f'model_params_path lists no .pth or .pt or .weights file.*found {found}'):
        load_model(params(*(tmp_path / name for name in files)))


def test_other_names_of_the_same_number_are_told(tmp_path, weights, caplog):
    files = package(tmp_path, weights, dataset_meta={'classes': CLASSES})
    with caplog.at_level(logging.WARNING):
        load_model(params(*files, class_names=('cat', 'wolf')))
    assert 'not those of the model: wolf for dog' in caplog.text


@pytest.mark.parametrize('named', [True, False])
def test_another_number_of_classes_is_told(tmp_path, weights, named):
    """With both lists of names, where the weights hold theirs."""
    files = package(tmp_path, weights, **({'dataset_meta': {'classes': CLASSES}} if named else {}))
    with pytest.raises(ModelError) as error:
        load_model(params(*files, class_names=('car', 'bus', 'tram')))
    found = '2 classes (cat, dog)' if named else '2 classes, whose names it does not hold'
    assert f'epoch_1.pth detects {found}, but class_names has 3 (car, bus, tram)' in str(error.value)
    assert str(error.value).endswith(': give class_names of the model, in its order')


def test_the_classes_of_a_head_that_has_more_outputs_beside_them_are_counted(tmp_path):
    config = 'configs/yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py'
    bare = write_random_weights(tmp_path / 'bare.pth', config, classes=CLASSES)
    with pytest.raises(
        ModelError, match=r'bare.pth detects 2 classes, whose names it does not hold, but class_names has 3'
    ):
        load_model(params(bare, class_names=('car', 'bus', 'tram'), config_file=config))


def test_very_many_class_names_of_weights_are_told_shortly(tmp_path, weights):
    files = package(tmp_path, weights, dataset_meta={'classes': tuple(f'class {number}' for number in range(10**5))})
    with pytest.raises(ModelError, match=r'detects 100000 classes \(class 0, .*class 99999\), but') as error:
        load_model(params(*files))
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize('name', ['backbone.stem.conv.bn.running_var', 'bbox_head.multi_level_conv_obj.0.bias'])
def test_weights_that_hold_nan_are_refused(tmp_path, weights, name):
    """With them nothing is found, which looks like an empty image."""
    files = package(tmp_path, weights)
    parameters = read_checkpoint(files[0])['state_dict']
    parameters[name].view(-1)[0] = torch.nan
    save_weights(files[0], parameters, {})
    with pytest.raises(ModelError, match=f'epoch_1.pth: {name} holds numbers that are not finite'):
        load_model(params(*files))


def test_thresholds_reach_the_head(weights):
    trained = load_model(params(weights, config_file=NANO, iou_threshold=0.4), score_threshold=0.5)
    test_cfg = trained.model.bbox_head.test_cfg
    assert (test_cfg.score_thr, test_cfg.nms.iou_threshold, trained.score_threshold) == (0.5, 0.4, 0.01)


@pytest.mark.parametrize(
    'options, words',
    [
        ({'model.backbone.strange': 1}, "unexpected keyword argument 'strange'.*: model.backbone.strange=1"),
        ({'model.backbone.widen_factor': 0.001}, 'do not fit the detector .*: model.backbone.widen_factor=0.001'),
        ({'test_dataloader.dataset.pipeline.1.scale': (0, 64)}, r'scale of Resize is \(0, 64\), expected pixels'),
        ({'test_dataloader.dataset.pipeline.1.scale': 0}, 'scale of Resize is 0, expected pixels'),
        ({'test_dataloader.dataset.pipeline.1.scale': ()}, r'scale of Resize is \(\), expected pixels'),
        ({'test_dataloader.dataset.pipeline.1.scale': (64, -3)}, r'scale of Resize is \(64, -3\), expected pixels'),
        ({'test_dataloader.dataset.pipeline.1.scale': ('a', 'b')}, 'scale of Resize is .*expected pixels'),
        ({'test_dataloader.dataset.pipeline.2.size': (0, 0)}, r'size of Pad is \(0, 0\), expected pixels'),
    ],
    ids=str,
)
def test_options_with_which_no_detector_can_be_built_are_told(weights, options, words):
    with pytest.raises(ParameterError, match=f'^cfg_options .*{words}') as caught:
        load_model(params(weights, config_file=NANO, cfg_options=options))
    assert caught.value.key == 'cfg_options'


@pytest.mark.parametrize('sides', [(64, 64), (1333, -1), (96, 64.0)], ids=str)
def test_sizes_in_pixels_and_sides_without_limit_are_sizes(weights, sides):
    options = {'test_dataloader.dataset.pipeline.1.scale': sides}
    assert load_model(params(weights, config_file=NANO, cfg_options=options)).pipeline[1]['scale'] == sides


@pytest.mark.parametrize(
    'old, new, words',
    [
        ("{'type': 'YOLOXPAFPN',", "{'type': 'YOLOXPAFPN', 'strange': 1,", 'strange'),
        ("'type': 'YOLOXHead'", "'type': 'CSPDarknet'", 'TypeError'),
        ('val_dataloader = ', 'other = ', "KeyError: 'val_dataloader'"),
        ("'scale': (416, 416)", "'scale': (0, 0)", 'scale of Resize is (0, 0), expected pixels'),
    ],
)
def test_a_config_of_a_package_that_cannot_be_built_is_named(tmp_path, weights, old, new, words):
    files = package(tmp_path, weights)
    text = files[1].read_text()
    assert old in text
    files[1].write_text(text.replace(old, new))
    with pytest.raises(ModelError) as caught:
        load_model(params(*files))
    assert str(caught.value).startswith(f'{files[1]}: the detector cannot be built or run from this config (')
    assert words in str(caught.value)


@pytest.mark.parametrize(
    'config_file, options, problem, advice',
    [
        ('configs/retinanet/retinanet_r50_fpn_1x_coco.py', {}, 'are missing', ''),
        (
            NANO,
            {'model.backbone.widen_factor': 0.5, 'model.test_cfg.score_thr': 0.1},
            'have another shape',
            ', and leave out cfg_options model.backbone.widen_factor, model.test_cfg.score_thr',
        ),
    ],
    ids=['another architecture', 'options that change the network'],
)
def test_weights_that_do_not_fit_are_refused(weights, config_file, options, problem, advice):
    told = rf'bare.pth does not fit the config: of its \d+ parameters \d+ {problem} .* were trained with{advice}$'
    with pytest.raises(ModelError, match=told):
        load_model(params(weights, config_file=config_file, cfg_options=options))
