"""Megvii's official weights under mmdet's names: the same network, to the last parameter and to its outputs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from executor.config.read import load_config
from executor.weights.checkpoint import model_parameters, read_checkpoint
from executor.weights.match import load_weights

pytestmark = pytest.mark.shared


@pytest.fixture(scope='module')
def weights(shared_data):
    return shared_data.parent / 'weights' / 'yolox_nano_coco_megvii.pth'


@pytest.fixture(scope='module')
def model(weights):
    register_all_modules()
    model = MODELS.build(load_config('configs/yolox/yolox_nano_8x8_300e_coco.py').model)
    load_weights(model, weights)
    return model.eval()


def test_nothing_is_missing_and_nothing_left_over(weights, model):
    parameters = model_parameters(read_checkpoint(weights), weights)
    own = model.state_dict()
    assert {name: value.shape for name, value in parameters.items()} == {n: v.shape for n, v in own.items()}


def test_outputs_are_those_of_the_official_graph(shared_data, model):
    """Raw head maps on a real image, beside the graph that Megvii's own export wrote."""
    onnxruntime = pytest.importorskip('onnxruntime')
    image = cv2.imread(str(sorted((shared_data / 'coco80').rglob('*.jpg'))[0]))
    image = cv2.resize(image, (416, 416)).astype(np.float32).transpose(2, 0, 1)[None]  # (1, 3, 416, 416) BGR 0..255
    graph = onnxruntime.InferenceSession(str(shared_data.parent / 'weights' / 'yolox_nano_coco_reference.onnx'))
    (expected,) = graph.run(None, {'images': image})  # (1, 3549, 85): x y w h raw, objectness and classes as scores
    with torch.no_grad():
        classes, boxes, objectness = model(torch.from_numpy(image), mode='tensor')
    levels = [
        torch.cat([box, obj.sigmoid(), cls.sigmoid()], 1).flatten(2).transpose(1, 2)  # (1, H * W, 85)
        for cls, box, obj in zip(classes, boxes, objectness)
    ]
    assert np.abs(torch.cat(levels, 1).numpy() - expected).max() < 1e-3
