"""FCOS on a caffe ResNet with group norm in its head, which the predecessor's users have: as in mmdet 2."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from executor.config.find import find_of_image
from tests.support.zoo import TOLERANCE, Zoo, built, outputs_of, parameter_count

CONFIG = 'configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'
PARTS = ('cls_score', 'bbox_pred', 'centerness')


def test_its_name_in_mmdet_2_finds_it():
    assert find_of_image('fcos_r50_caffe_fpn_gn-head_1x_coco.py').as_posix().endswith(CONFIG)


@pytest.mark.shared
def test_the_same_weights_give_mmdet_2s_outputs_and_boxes(shared_data):
    zoo = Zoo(shared_data, 'fcos_r50_caffe_gn')
    model = built(CONFIG)
    assert parameter_count(model) == zoo.fixture['parameters'] == 32_295_322
    model.load_state_dict(zoo.weights())
    mean = torch.tensor(zoo.fixture['preprocessing']['mean']).view(1, 3, 1, 1)
    raw = outputs_of(model, zoo.image() - mean)
    outputs = {f'{part}.{n}': level for part, levels in zip(PARTS, raw) for n, level in enumerate(levels)}
    assert zoo.largest_difference(outputs) < TOLERANCE
    head = model.bbox_head
    points = head.prior_generator.grid_priors([level.shape[2:] for level in raw[0]], device='cpu')
    for sample in zoo.fixture['decoded']['samples']:
        level, y, x = (sample[key] for key in ('level', 'y', 'x'))
        classes, distances, centre = (levels[level][0, :, y, x] for levels in raw)
        point = points[level][y * raw[0][level].shape[3] + x]
        box = head.bbox_coder.decode(point[None], distances[None])[0].numpy()
        np.testing.assert_allclose(box, sample['box'], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(classes.sigmoid(), sample['classes'], atol=1e-4)
        assert float(centre.sigmoid()) == pytest.approx(sample['objectness'], abs=1e-4)
