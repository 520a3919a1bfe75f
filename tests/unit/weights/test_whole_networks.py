"""Networks that ultralytics' YOLOv5 saved whole: read as data, by what they hold."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from executor.contract.errors import ModelError
from executor.weights.checkpoint import class_names_of, held_model, model_parameters, read_checkpoint
from executor.weights.choose import best_weights
from tests.support.ultralytics import save, save_of_a_training, tiny_parameters
from tests.unit.weights.crafted import write

NAMES = ['cat', 'dog', 'fox']
FITTING = 'choose weights of YOLOv5 n, s, m, l or x as the releases 5.0 to 7.0 build them'


@pytest.mark.parametrize('names', [NAMES, dict(enumerate(NAMES))], ids=['list', 'dict'])
def test_parameters_and_names(tmp_path, names):
    parameters = tiny_parameters()
    checkpoint = read_checkpoint(save(tmp_path / 'x.pt', parameters, names))
    assert set(checkpoint['state_dict']) == set(parameters)
    for name, value in checkpoint['state_dict'].items():
        assert torch.equal(value, parameters[name].half() if value.is_floating_point() else parameters[name])
    assert class_names_of(checkpoint) == ('cat', 'dog', 'fox')


def test_of_a_training_the_averaged_network_counts(tmp_path):
    averaged, last = tiny_parameters(), tiny_parameters()
    averaged['model.24.m.0.bias'] = torch.ones(24)
    path = save_of_a_training(tmp_path / 'last.pt', averaged, last, NAMES)
    assert model_parameters(read_checkpoint(path), path)['bbox_head.convs_pred.0.bias'].tolist() == [1.0] * 24


def test_the_best_of_a_training_is_called_so(tmp_path):
    files = [save(tmp_path / name, tiny_parameters(), NAMES) for name in ('best.pt', 'last.pt')]
    assert best_weights(files[::-1]) == files[0]


@pytest.mark.parametrize('focus, blocks', [(False, (1, 2, 3, 1)), (True, (2, 5, 4, 3))])
def test_what_they_tell_of_their_network(tmp_path, focus, blocks):
    path = save(tmp_path / 'x.pt', tiny_parameters(focus=focus, width=24, blocks=blocks, neck=2), NAMES)
    held = held_model(read_checkpoint(path), path)
    assert held.changes['backbone'] == {'channels': [24, 48, 96, 192, 384], 'blocks': list(blocks), 'focus': focus}
    assert held.changes['neck'] == {'in_channels': [96, 192, 384], 'num_csp_blocks': 2}
    anchors = held.changes['bbox_head'].pop('anchor_generator')['base_sizes']
    assert anchors[0] == [(2, 4), (6, 8), (10, 12)] and anchors[2][2] == (136, 144)  # by hand, times 8 and 32
    assert held.changes['bbox_head'] == {'in_channels': [96, 192, 384]}


@pytest.mark.shared
def test_the_official_weights(shared_data):
    path = shared_data.parent / 'weights' / 'yolov5n_coco_v6.pt'
    checkpoint = read_checkpoint(path)
    held, names = held_model(checkpoint, path), class_names_of(checkpoint)
    assert held.name == 'YOLOv5n' and held.config_file == 'configs/yolov5/yolov5n_8x8_300e_coco.py'
    assert held.changes['backbone'] == {'channels': [16, 32, 64, 128, 256], 'blocks': [1, 2, 3, 1], 'focus': False}
    anchors = held.changes['bbox_head']['anchor_generator']['base_sizes']
    assert anchors[0] == [(10, 13), (16, 30), (33, 23)] and anchors[2][2] == (373, 326)
    assert len(names) == 80 and names[:2] == ('person', 'bicycle')
    assert len(model_parameters(checkpoint, path)) == 348


OTHERS = {
    'blocks of 2020': lambda p: {**p, 'model.2.cv4.conv.weight': torch.ones(1)},
    'crossed convolutions': lambda p: {**p, 'model.4.m.0.cv2.conv.weight': torch.ones(8, 8, 3, 1)},
    'transformers': lambda p: {**p, 'model.8.m.tr.0.q.weight': torch.ones(1)},
    'a fourth level': lambda p: {**p, 'model.33.m.3.weight': torch.ones(1)},
    'a neck of other depths': lambda p: {**p, 'model.17.m.1.cv2.conv.weight': torch.ones(8, 8, 3, 3)},
}


@pytest.mark.parametrize('changed', OTHERS.values(), ids=OTHERS)
def test_other_networks_are_told_apart(tmp_path, changed):
    path = save(tmp_path / 'x.pt', changed(tiny_parameters()), NAMES)
    for read in (model_parameters, held_model):
        with pytest.raises(ModelError, match=f'{re.escape(str(path))}: model.* is of no part of YOLOv5 .*: {FITTING}'):
            read(read_checkpoint(path), path)


@pytest.mark.parametrize('name', ['model.24.m.1.weight', 'model.5.conv.weight'])
@pytest.mark.parametrize('value', [None, torch.tensor(1.0)], ids=['missing', 'a number'])
def test_a_network_without_a_convolution(tmp_path, name, value):
    parameters = {**tiny_parameters(), name: value}
    path = save(tmp_path / 'x.pt', {name: one for name, one in parameters.items() if one is not None}, NAMES)
    with pytest.raises(ModelError, match=f'a convolution of YOLOv5 is missing or is none: {FITTING}'):
        held_model(read_checkpoint(path), path)


def test_layers_that_hold_themselves_end(tmp_path):
    for twice in (False, True):
        layer = nn.Sequential()
        inner = layer
        for _ in range(40):
            inner._modules['a'] = nn.Sequential()
            inner._modules['b'] = inner._modules['a'] if twice else nn.Sequential()
            inner = inner._modules['a']
        if not twice:
            inner._modules['a'] = layer
        with pytest.raises(ModelError, match='nested without end'):
            read_checkpoint(write(tmp_path / 'w.pt', {'model': layer}))


def test_layers_with_endless_names_are_refused(tmp_path):
    layer = nn.Sequential()
    layer._modules['a' * 600] = nn.Sequential()
    layer._modules['a' * 600]._modules['a' * 600] = nn.Sequential()
    with pytest.raises(ModelError, match='a name is too long'):
        read_checkpoint(write(tmp_path / 'w.pt', {'model': layer}))


@pytest.mark.parametrize('state', [{}, {'_modules': 1, '_parameters': [], 'names': 3}, {'_modules': {'a': 1}}], ids=str)
def test_layers_of_another_form_hold_nothing(tmp_path, state):
    layer = nn.Sequential()
    layer.__dict__ = state
    checkpoint = read_checkpoint(write(tmp_path / 'w.pt', {'model': layer}))
    assert checkpoint['state_dict'] == {} and class_names_of(checkpoint) is None
