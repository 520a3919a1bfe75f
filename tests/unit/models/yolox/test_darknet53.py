"""YOLOX-Darknet53: Megvii's network to its outputs, under mmdet's names to the last parameter."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.models.yolox import megvii, megvii_darknet
from executor.weights.checkpoint import model_parameters
from tests.support.zoo import TOLERANCE, Zoo, built, outputs_of, parameter_count

CONFIG = 'configs/yolox/yolox_darknet53_8x8_300e_coco.py'


@pytest.mark.shared
def test_the_same_weights_give_megviis_outputs(shared_data):
    zoo = Zoo(shared_data, 'yolox_darknet53')
    model = built(CONFIG)
    assert parameter_count(model) == zoo.fixture['parameters'] == 63_724_767
    parameters = model_parameters({'model': zoo.weights()}, Path('x.pth'))
    model.load_state_dict(parameters)  # all, and no other
    classes, boxes, objectness = outputs_of(model, zoo.image())
    names = ((classes, 'cls'), (boxes, 'reg'), (objectness, 'obj'))
    raw = {f'head.{name}_preds.{level}': maps[level] for maps, name in names for level in range(3)}
    assert zoo.largest_difference(raw) < TOLERANCE


@pytest.mark.parametrize(
    'theirs, ours',
    [
        ('backbone.backbone.stem.0.conv.weight', 'backbone.conv1.conv.weight'),
        ('backbone.backbone.stem.2.layer2.bn.bias', 'backbone.conv_res_block1.res0.conv2.bn.bias'),
        ('backbone.backbone.dark3.8.layer1.conv.weight', 'backbone.conv_res_block3.res7.conv1.conv.weight'),
        ('backbone.backbone.dark5.0.bn.weight', 'backbone.conv_res_block5.conv.bn.weight'),
        ('backbone.backbone.dark5.4.layer2.bn.weight', 'backbone.conv_res_block5.res3.conv2.bn.weight'),
        ('backbone.backbone.dark5.7.conv2.conv.weight', 'neck.detect1.conv3.conv2.conv.weight'),
        ('backbone.out1_cbl.conv.weight', 'neck.conv1.conv.weight'),
        ('backbone.out2.4.conv.weight', 'neck.detect3.conv5.conv.weight'),
        ('head.stems.0.conv.weight', 'neck.out_convs.0.conv.weight'),
        ('head.obj_preds.2.bias', 'bbox_head.multi_level_conv_obj.2.bias'),
    ],
)
def test_names(theirs, ours):
    names = [theirs, 'backbone.out1_cbl.bn.bias']
    assert megvii_darknet.fits(names) and not megvii.fits(names)
    assert list(megvii_darknet.to_mmdet({theirs: 0})) == [ours]


def test_the_other_sizes_are_no_darknet53():
    names = ['backbone.backbone.dark2.0.conv.weight', 'backbone.lateral_conv0.conv.weight']
    assert megvii.fits(names) and not megvii_darknet.fits(names)
