"""EfficientDet's network: TensorFlow's outputs and boxes for the same weights, and the parameters of every size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from torch import nn

from executor.config.held import take_held_model
from executor.config.read import load_config
from executor.contract.errors import ModelError
from executor.models.efficientdet import effdet
from executor.network.dense import example_images, fused_network
from executor.network.onnx_network import OnnxNetwork
from executor.weights.checkpoint import held_model, model_parameters
from tests.support.effdet import effdet_parameters
from tests.support.zoo import TOLERANCE, Zoo, built, outputs_of, parameter_count

# As google/automl's tests have them, for 90 classes.
PARAMETERS = (3_880_067, 6_625_898, 8_097_039, 12_032_296, 20_723_675)
CONFIGS = [f'configs/efficientdet/efficientdet_d{size}_8x8_300e_coco.py' for size in range(5)]
PATH = Path('x.pth')
# COCO's id of some of its 80 classes, about the ids that are not in use.
IDS = {
    **{'person': 1, 'fire hydrant': 11, 'stop sign': 13, 'cow': 21, 'giraffe': 25, 'backpack': 27, 'umbrella': 28},
    **{'handbag': 31, 'bottle': 44, 'wine glass': 46, 'bed': 65, 'dining table': 67, 'toilet': 70, 'tv': 72},
    **{'refrigerator': 82, 'book': 84, 'toothbrush': 90},
}


@pytest.mark.parametrize('config_file, parameters', list(zip(CONFIGS, PARAMETERS)))
def test_every_size_has_the_parameters_published(config_file, parameters):
    assert parameter_count(built(config_file, {'bbox_head': {'num_classes': 90}})) == parameters


@pytest.mark.parametrize('size', range(5))
def test_the_weights_of_every_size_tell_it_and_fit(size):
    checkpoint = {'state_dict': effdet_parameters(size)}
    held = held_model(checkpoint, PATH)
    assert (held.name, held.config_file) == (f'EfficientDet-d{size}', CONFIGS[size])
    built(CONFIGS[size]).load_state_dict(model_parameters(checkpoint, PATH))
    take_held_model(load_config(CONFIGS[size]), held, PATH)
    with pytest.raises(ModelError, match=f'set config_file to {CONFIGS[size]}'):
        take_held_model(load_config(CONFIGS[size - 1]), held, PATH)


def test_its_graph_is_the_network_at_any_size():
    """Which `OnnxNetwork` compares with torch; all convolutions that levels do not share have their norm in them."""
    model = built(CONFIGS[0])
    model.load_state_dict(model_parameters(effdet_parameters(), PATH))
    network = fused_network(model, channels_last=True)
    left = {name.rpartition('.norms.')[0] for name, part in network.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert left == {'model.bbox_head.classes', 'model.bbox_head.boxes'}
    classes, boxes = OnnxNetwork(network, None)(example_images(128, 128))
    assert [tuple(level.shape) for level in classes] == [(1, 720, side, side) for side in (16, 8, 4, 2, 1)]
    assert [tuple(level.shape) for level in boxes] == [(1, 36, side, side) for side in (16, 8, 4, 2, 1)]


@pytest.fixture(scope='module')
def upstream(shared_data):
    """The fixture, and a model of ours with its weights."""
    zoo = Zoo(shared_data, 'efficientdet_d0')
    assert parameter_count(built(CONFIGS[0], {'bbox_head': {'num_classes': 90}})) == zoo.fixture['parameters']
    model = built(CONFIGS[0])
    model.load_state_dict(model_parameters({'state_dict': zoo.weights()}, PATH))
    before = zoo.fixture['preprocessing']
    mean, std = (torch.tensor(before[key]).view(1, 3, 1, 1) for key in ('mean', 'std'))
    return zoo, model, outputs_of(model, (zoo.image() - mean) / std)


@pytest.mark.shared
def test_the_same_weights_give_tensorflows_outputs(upstream):
    zoo, _, raw = upstream
    nowhere = torch.full((9, 90, 1, 1), torch.nan)
    outputs = {}
    for level, (classes, boxes) in enumerate(zip(*raw)):
        with_unused = nowhere.repeat(1, 1, *classes.shape[2:])
        with_unused[:, effdet.CLASSES] = classes.unflatten(1, (9, 80))[0]
        outputs[f'class_net.{level}'] = with_unused.flatten(0, 1)[None]
        outputs[f'box_net.{level}'] = boxes.unflatten(1, (9, 4))[:, :, [1, 0, 3, 2]].flatten(1, 2)
    differences = zoo.differences(outputs)
    assert np.isnan(differences).mean() < 0.1  # of the classes that are not in use
    assert np.nanmax(differences) < TOLERANCE


@pytest.mark.shared
def test_the_same_weights_give_tensorflows_boxes(upstream):
    zoo, model, raw = upstream
    head = model.bbox_head
    shapes = [level.shape[2:] for level in raw[0]]
    anchors = head.prior_generator.grid_priors(shapes, device='cpu')
    assert sum(map(len, anchors)) == zoo.fixture['decoded']['count']
    for sample in zoo.fixture['decoded']['samples']:
        level, anchor, y, x = (sample[key] for key in ('level', 'anchor', 'y', 'x'))
        deltas = raw[1][level].unflatten(1, (9, 4))[:, anchor, :, y, x]
        row = (y * shapes[level][1] + x) * 9 + anchor
        box = head.bbox_coder.decode(anchors[level][row, None], deltas)[0].numpy()
        assert np.abs(box - sample['box']).max() <= 1e-4 * max(1, np.abs(sample['box']).max())
        scores = raw[0][level].unflatten(1, (9, 80))[0, anchor, :, y, x].sigmoid()
        np.testing.assert_allclose(scores, np.array(sample['classes'])[effdet.CLASSES], atol=1e-4)


def test_the_classes_in_use_are_cocos():
    names = CocoDataset.METAINFO['classes']
    assert len(effdet.CLASSES) == len(names) == 80
    assert {name: effdet.CLASSES[names.index(name)] + 1 for name in IDS} == IDS


def test_classes_of_ones_own_stay():
    parameters = effdet_parameters(classes=3)
    own = effdet.to_mmdet(parameters)['bbox_head.classes.predict.pointwise.weight']
    assert torch.equal(own, parameters['class_net.predict.conv_pw.weight'])


@pytest.mark.parametrize(
    'missing, told',
    [
        ('fpn.resample.3.conv.conv.bias', 'resample.3.conv.conv.bias is missing'),
        ('backbone.blocks.0.0.se.conv_reduce.weight', 'conv_reduce.weight is missing'),
    ],
    ids=["effdet's own, without tf_", 'lite'],
)
def test_what_other_kinds_have_not_is_told(missing, told):
    parameters = effdet_parameters()
    del parameters[missing]
    with pytest.raises(ValueError, match=f'{told}: choose weights of EfficientDet d0 to d4'):
        effdet.held_model(parameters)


def test_what_other_kinds_have_beside_is_told():
    parameters = {**effdet_parameters(), 'backbone.blocks.0.0.attention.weight': torch.ones(1)}
    with pytest.raises(ValueError, match='attention.weight is of no part of EfficientDet as it is read'):
        effdet.to_mmdet(parameters)


def test_a_larger_kind_is_told():
    parameters = effdet_parameters()
    parameters['fpn.resample.3.conv.conv.bias'] = torch.zeros(288)
    with pytest.raises(ValueError, match='a neck of 288 channels is of another EfficientDet: choose weights'):
        effdet.held_model(parameters)
