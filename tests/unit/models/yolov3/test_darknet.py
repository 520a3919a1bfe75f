"""Darknet's weights of YOLOv3: by number of numbers, in its order, under mmdet's names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from executor.models.anchored import AnchoredHead
from executor.models.yolov3 import darknet
from executor.models.yolov3.darknet import BackboneNumbers, Yolov3Numbers
from executor.weights.checkpoint import model_parameters, read_checkpoint
from tests.support.zoo import TOLERANCE, Zoo, built, outputs_of, parameter_count
from tests.unit.models.yolov3.test_yolov3 import check_boxes

D53, SPP = Yolov3Numbers('d53', pooling=False), Yolov3Numbers('spp', pooling=True)


def darknet_bytes(parameters, header: bytes) -> bytes:
    """A darknet file of parameters numbered as in its cfg: of each part the norm, or the bias, then the weight."""
    numbers = sorted({int(name.split('.')[1]) for name in parameters})
    content = [header]
    for number in numbers:
        names = [f'module_list.{number}.BatchNorm2d.{part}' for part in ('bias', 'weight', 'running_mean')]
        names += [f'module_list.{number}.BatchNorm2d.running_var', f'module_list.{number}.Conv2d.bias']
        names.append(f'module_list.{number}.Conv2d.weight')
        content += [parameters[name].numpy().astype('<f4').tobytes() for name in names if name in parameters]
    return b''.join(content)


NEW_HEADER = np.array([0, 2, 5, 32013312, 0], '<i4').tobytes()  # 64 bits for the images seen
OLD_HEADER = np.array([0, 1, 0, 32013312], '<i4').tobytes()  # 32 bits


@pytest.mark.shared
@pytest.mark.parametrize('form', ['numbered', NEW_HEADER, OLD_HEADER], ids=['numbered', 'new file', 'old file'])
def test_the_same_weights_give_the_outputs_of_darknets_cfg(tmp_path, shared_data, form):
    zoo = Zoo(shared_data, 'yolov3_spp')
    theirs = zoo.weights()
    model = built('configs/yolov3/yolov3_spp_8x8_273e_coco.py')
    assert parameter_count(model) == zoo.fixture['parameters'] == 62_998_749
    if form == 'numbered':
        parameters = model_parameters({'model': theirs}, Path('yolov3-spp.pt'))
    else:
        file = tmp_path / 'yolov3-spp.weights'
        file.write_bytes(darknet_bytes(theirs, form))
        parameters = model_parameters(read_checkpoint(file), file)
    left = model.load_state_dict(parameters, strict=form == 'numbered')
    assert all(name.endswith('num_batches_tracked') for name in left.missing_keys) and not left.unexpected_keys
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = zoo.fixture['network']['bn_eps']
    raw = outputs_of(model, zoo.image() / 255)
    outputs = {f'module_list.{number}': level for number, level in zip((88, 100, 112), raw[0])}
    assert zoo.largest_difference(outputs) < TOLERANCE
    if form == 'numbered':
        check_boxes(zoo, AnchoredHead(model.bbox_head, class_scores=True), raw)


# Sizes of the files that are published, less their headers of 20 bytes, by four.
PUBLISHED = {
    'yolov3.weights': (248_007_048, D53, 80),
    'yolov3-spp.weights': (252_209_544, SPP, 80),
    'darknet53.conv.74': (162_482_580, BackboneNumbers('backbone'), None),
}


@pytest.mark.parametrize('size, layout, classes', PUBLISHED.values(), ids=PUBLISHED)
def test_published_files_are_known_by_their_size(size, layout, classes):
    count = (size - 20) // 4
    fitting = [one for one in (D53, SPP, BackboneNumbers('backbone')) if one.fits(count)]
    assert fitting == [layout]
    parameters = layout.to_mmdet(torch.zeros(1).expand(count))
    if classes is not None:
        assert parameters['bbox_head.convs_pred.2.weight'].shape == (3 * (5 + classes), 256, 1, 1)
    else:
        assert all(name.startswith('backbone.') for name in parameters)


@pytest.mark.parametrize('classes, fits', [(1, True), (3, True), (10_000, True), (0, False), (10_001, False)])
@pytest.mark.parametrize('layout', [D53, SPP])
def test_any_number_of_classes(layout, classes, fits):
    # By hand: 3 anchors, 1024 + 512 + 256 inputs and a bias each.
    count = (248_007_048 if layout is D53 else 252_209_544) // 4 - 5 + (classes - 80) * 3 * (1024 + 512 + 256 + 3)
    assert layout.fits(count) == fits
    assert not layout.fits(count + 1)


def test_numbered_parts_of_another_network_stay_as_they_are():
    parameters = {'module_list.0.Conv2d.weight': torch.zeros(1), 'module_list.1.Conv2d.weight': torch.zeros(1)}
    assert darknet.fits(parameters)
    assert darknet.to_mmdet(parameters) == parameters


def test_the_older_names_of_numbered_parts():
    parameters = {f'module_list.{n}.conv_{n}.weight': torch.zeros(1) for n in range(75)}
    parameters['module_list.74.batch_norm_74.bias'] = parameters['module_list.73.batch_norm_73.bias'] = torch.ones(1)
    names = set(darknet.to_mmdet(parameters))
    assert {'backbone.conv1.conv.weight', 'bbox_head.convs_pred.2.weight'} <= names
    assert 'bbox_head.convs_bridge.2.bn.bias' in names
