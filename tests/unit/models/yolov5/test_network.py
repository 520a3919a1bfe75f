"""YOLOv5's network: outputs and boxes of both layouts, and the parameters of every size."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.models.anchored import AnchoredHead
from executor.weights.checkpoint import held_model, model_parameters
from tests.support.zoo import TOLERANCE, Zoo, built, outputs_of, parameter_count
from tests.unit.models.yolov3.test_yolov3 import check_boxes

# As published for 80 classes.
PARAMETERS = {'n': 1_872_157, 's': 7_235_389, 'm': 21_190_557, 'l': 46_563_709, 'x': 86_749_405}


@pytest.mark.parametrize('size, parameters', PARAMETERS.items())
def test_every_size_has_the_parameters_published(size, parameters):
    assert parameter_count(built(f'configs/yolov5/yolov5{size}_8x8_300e_coco.py')) == parameters


@pytest.mark.shared
@pytest.mark.parametrize('config', ['as published', 'of another size'])
@pytest.mark.parametrize('name', ['yolov5n_v6', 'yolov5s_v6', 'yolov5s_v5'])
def test_the_same_weights_give_ultralytics_outputs(shared_data, name, config):
    """Of a config of another size or release, what the weights tell makes their network."""
    zoo = Zoo(shared_data, name)
    checkpoint, path = {'model': zoo.weights()}, Path('x.pt')
    held = held_model(checkpoint, path)
    assert held.config_file == f'configs/yolov5/{name[:7]}_8x8_300e_coco.py'
    if config == 'as published':
        model = built(held.config_file, {'backbone': held.changes['backbone']} if name.endswith('v5') else {})
    else:
        model = built('configs/yolov5/yolov5m_8x8_300e_coco.py', held.changes)
    assert parameter_count(model) == zoo.fixture['parameters']
    left = model.load_state_dict(model_parameters(checkpoint, path), strict=False)
    assert not left.unexpected_keys and all('num_batches_tracked' in key for key in left.missing_keys)
    raw = outputs_of(model, zoo.image() / 255)
    assert zoo.largest_difference({f'model.24.m.{n}': level for n, level in enumerate(raw[0])}) < TOLERANCE
    check_boxes(zoo, AnchoredHead(model.bbox_head, class_scores=True), raw)
