"""A detector as an ONNX graph: its boxes are those that mmdet finds, and what cannot be one says why."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from executor.contract.params import InferParams
from executor.detector import export
from executor.detector.export import NotExported, export_detector
from executor.detector.load import MMDET, load_detector
from executor.detector.model import load_model
from executor.network.onnx_network import open_graph
from tests.support.random_model import NANO, write_random_weights
from tests.unit.detector.test_load import SMALL, YOLOV3

CLASSES = ('cat', 'dog')


def params_of(tmp_path, config_file):
    options = SMALL if '_r50' in config_file else {}
    file = write_random_weights(tmp_path / 'weights.pth', config_file, CLASSES, options)
    return InferParams(CLASSES, (), (file,), config_file=config_file, cfg_options=options)


@pytest.mark.parametrize(
    'config_file, threshold, shape',
    [
        (NANO, 1e-3, [1, 416, 416, 3]),
        (YOLOV3, 1e-3, [1, 'height', 'width', 3]),
        ('configs/yolov5/yolov5n_8x8_300e_coco.py', 1e-6, [1, 'height', 'width', 3]),
        ('configs/efficientdet/efficientdet_d0_8x8_300e_coco.py', 1e-3, [1, 512, 512, 3]),
        ('configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', 1e-3, [1, 'height', 'width', 3]),  # centerness
        ('configs/atss/atss_r50_fpn_1x_coco.py', 1e-3, [1, 'height', 'width', 3]),
    ],
)
def test_each_box_that_mmdet_finds_is_there(tmp_path, config_file, threshold, shape):
    params = params_of(tmp_path, config_file)
    exported = export_detector(load_model(params), CLASSES)
    described = json.loads(json.dumps(exported.description))
    assert described['input']['shape'] == shape and described['classes'] == list(CLASSES)
    detector = load_detector(params, 2, score_threshold=threshold, backend=MMDET)
    small = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    for size in ((230, 170), (120, 210)):
        prepared = detector.prepare(cv2.resize(small, size))
        boxes, scores = (output[0] for output in open_graph(exported.graph)(prepared.pixels[None]))
        (found,) = detector([prepared])
        found = found.detections.select(slice(100))
        boxes = boxes / np.tile(prepared.scale, 2)
        assert len(found) >= 20 and boxes.shape == (len(scores), 4) and scores.shape[1] == 2
        for box, score, label in zip(found.boxes, found.scores, found.labels):
            near = np.abs(boxes - box).max(axis=1) <= 0.02 + 1e-3 * np.abs(box).max()
            assert np.abs(scores[near, label] - score).min(initial=1) < 1e-4
        # Nothing scores more than what is found.
        assert scores.max() == pytest.approx(found.scores[0], abs=1e-4)


@pytest.mark.parametrize(
    'config_file, reason',
    [
        ('configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 'FasterRCNN is no dense detector'),
        ('configs/gfl/gfl_r50_fpn_1x_coco.py', 'GFLHead makes its boxes in a way of its own'),
        ('configs/centernet/centernet_r18_8xb16-crop512-140e_coco.py', 'more than resizing and padding'),
    ],
)
def test_what_is_not_exported_says_why(tmp_path, config_file, reason):
    with pytest.raises(NotExported, match=reason):
        export_detector(load_model(params_of(tmp_path, config_file)), CLASSES)


@pytest.mark.parametrize('part, change', [(0, 1.0), (1, 0.01)])
def test_a_graph_of_other_boxes_or_scores_is_an_error(tmp_path, monkeypatch, part, change):
    def moved(graph):
        def run(pixels):
            outputs = open_graph(graph)(pixels)
            outputs[part][0, 5, 0] += change
            return outputs

        return run

    monkeypatch.setattr(export, 'open_graph', moved)
    with pytest.raises(ValueError, match='boxes or scores differ from those of torch'):
        export_detector(load_model(params_of(tmp_path, NANO)), CLASSES)
