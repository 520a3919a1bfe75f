"""Detectors of several kinds on each backend: against the official graph, against mmdet, against each other."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from demo import shapes
from executor.contract.errors import ConfigError
from executor.contract.output.infer_result import infer_line
from executor.contract.params import InferParams
from executor.detections import to_whole_xywh
from executor.detector.detector import _stacked
from executor.detector.load import MMDET, ONNX, TORCH, load_detector
from executor.images.decode import read_image
from executor.images.prepare import Prepared
from tests.support.coco_scores import average_precision
from tests.support.official import decode, greedy_nms, official_graph
from tests.support.random_model import NANO, write_random_weights

CLASSES = ('circle', 'square', 'triangle')
CORES = 2
RETINANET = 'configs/retinanet/retinanet_r50_fpn_1x_coco.py'
YOLOV3 = 'configs/yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py'
# mmdet leaves the boxes out whose class alone scores less than that of others; ours their scores.
EVERY_BOX = {'model.test_cfg.nms_pre': 10**6}
# mmdet's detectors with the smallest ResNet, on small images.
SMALL = {
    'model.backbone.depth': 18,
    'model.neck.in_channels': [64, 128, 256, 512],
    'test_dataloader.dataset.pipeline.1.scale': (200, 120),
}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Three drawn images, one of them upright."""
    root = tmp_path_factory.mktemp('images')
    shapes.write_task(root, 3, 1)
    files = sorted(path for path in (root / 'in' / 'assets').rglob('*') if path.is_file())[:3]
    first, second, third = (read_image(file) for file in files)
    return [first[:200], second[:, :180], third]


def detector_of(tmp_path, config_file, **options):
    small = SMALL if '_r50' in config_file else EVERY_BOX if config_file == YOLOV3 else {}
    file = write_random_weights(tmp_path / 'weights.pth', config_file, CLASSES, small)
    cfg_options, gpu_ids = options.pop('cfg_options', small), options.pop('gpu_ids', ())
    params = InferParams(CLASSES, gpu_ids, (file,), config_file=config_file, cfg_options=cfg_options)
    return load_detector(params, CORES, options.pop('score_threshold', 1e-4), **options)


def assert_same(found, expected):
    """Each box has its like. Scores of random weights are often nearly equal, so that rounding may choose another."""
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        ours, theirs = ours.detections, theirs.detections
        assert abs(len(ours) - len(theirs)) <= 0.03 * len(theirs)
        np.testing.assert_allclose(ours.scores[:5], theirs.scores[:5], atol=1e-5)
        distance = np.abs(ours.boxes[:, None] - theirs.boxes[None]).max(axis=2)  # (N, M)
        distance = distance + 1000 * np.abs(ours.scores[:, None] - theirs.scores[None])
        distance = distance + 1000 * (ours.labels[:, None] != theirs.labels[None])
        unequal = ours.scores < 1  # of boxes whose scores are all exactly 1, chance decides which ones NMS keeps
        assert (distance.min(axis=1)[unequal] < 0.05).mean() > 0.95


@pytest.mark.parametrize(
    'config_file, backend, threshold',
    [
        (NANO, ONNX, 1e-4),
        (YOLOV3, ONNX, 1e-6),
        (RETINANET, ONNX, 0.001),
        ('configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', ONNX, 0.001),
        ('configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', MMDET, 0.2),
        # Operations that want contiguous maps and that the runtime does not know; images that are cut, not resized.
        ('configs/vfnet/vfnet_r50_fpn_1x_coco.py', TORCH, 0.001),
        ('configs/centernet/centernet_r18_8xb16-crop512-140e_coco.py', ONNX, 0.01),
    ],
)
def test_every_detector_finds_what_mmdet_finds(tmp_path, images, caplog, config_file, backend, threshold):
    """The fastest backend, chosen by itself, and torch; mmdet's own `predict` is the reference."""
    fastest = detector_of(tmp_path, config_file, score_threshold=threshold)
    assert fastest.backend == backend
    told = 'the network runs in torch, more slowly: ONNX Runtime cannot run it (' in caplog.text
    assert told == (backend == TORCH)
    prepared = [fastest.prepare(image) for image in images]
    expected = detector_of(tmp_path, config_file, score_threshold=threshold, backend=MMDET)(prepared)
    assert all(len(one.detections) > 5 for one in expected)
    assert_same(fastest(prepared), expected)
    if backend == ONNX:
        torch_detector = detector_of(tmp_path, config_file, score_threshold=threshold, backend=TORCH)
        assert torch_detector.backend == TORCH
        assert_same(torch_detector(prepared), expected)


@pytest.mark.parametrize('backend', [ONNX, TORCH, MMDET])
def test_what_is_found_does_not_depend_on_the_batch(tmp_path, images, backend):
    detector = detector_of(tmp_path, NANO, backend=backend)
    prepared = [detector.prepare(image) for image in images]
    together = detector(prepared * 3)
    alone = [found for one in prepared for found in detector([one])]
    assert detector([]) == []
    for number, found in enumerate(together):
        np.testing.assert_array_equal(found.detections.boxes, alone[number % 3].detections.boxes)
        np.testing.assert_array_equal(found.detections.scores, alone[number % 3].detections.scores)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
@pytest.mark.parametrize('config_file', [NANO, RETINANET])
def test_a_gpu_in_half_precision_finds_about_the_same(tmp_path, images, config_file):
    expected = detector_of(tmp_path, config_file, score_threshold=0.3, backend=TORCH)
    prepared = [expected.prepare(image) for image in images]
    found = detector_of(tmp_path, config_file, score_threshold=0.3, gpu_ids=(0,))(prepared)
    for ours, theirs in zip(found, expected(prepared)):
        np.testing.assert_allclose(ours.detections.scores[:5], theirs.detections.scores[:5], atol=0.02)


def test_images_that_lie_one_after_the_other_are_not_copied():
    memory = np.random.default_rng(0).integers(0, 256, 4 * 12, np.uint8)
    images = [Prepared(memory[12 * n : 12 * n + 12].reshape(2, 2, 3), (2, 2), (1, 1)) for n in range(4)]
    together = _stacked(images[1:])
    assert together.shape == (3, 2, 2, 3)
    assert np.shares_memory(together, memory)
    np.testing.assert_array_equal(together, np.stack([one.pixels for one in images[1:]]))
    for others in ([images[0], images[2]], images[::-1]):
        np.testing.assert_array_equal(_stacked(others), np.stack([one.pixels for one in others]))
        assert not np.shares_memory(_stacked(others), memory)


@pytest.mark.parametrize('scale', [(96, 128), (128, 96), (128, 128)])
def test_images_of_any_proportion_in_an_input_that_is_not_square(tmp_path, scale):
    options = {'test_dataloader.dataset.pipeline.1.scale': scale}
    detector = detector_of(tmp_path, NANO, cfg_options=options)
    images = [np.full((height, width, 3), 90, np.uint8) for height, width in ((50, 50), (50, 100), (100, 50), (1, 99))]
    assert len(detector([detector.prepare(image) for image in images])) == 4


def test_class_scores_of_a_detector_that_only_gives_a_label(tmp_path, images):
    detector = detector_of(tmp_path, NANO, backend=MMDET, class_scores=True)
    (found,) = detector([detector.prepare(images[0])])
    rows, scores, labels = found.detections.class_scores, found.detections.scores, found.detections.labels
    assert rows.shape == (len(scores), 3)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows[np.arange(len(labels)), labels], scores)


@pytest.mark.parametrize('backend', [ONNX, TORCH])
@pytest.mark.parametrize(
    'config_file, anchors, objectness', [(NANO, 1, True), (YOLOV3, 3, True), (RETINANET, 9, False)]
)
def test_head_maps(tmp_path, images, config_file, anchors, objectness, backend):
    """Their greatest class probability is the score of the best box."""
    detector = detector_of(tmp_path, config_file, head_maps=True, backend=backend)
    for found in detector([detector.prepare(image) for image in images]):
        best = 0.0
        for level in found.head_maps:
            scores = level.class_logits.sigmoid()  # (1, A, 3, h, w)
            assert scores.shape[:3] == (1, anchors, 3)
            assert (level.objectness_logits is not None) == objectness
            if objectness:
                scores = scores * level.objectness_logits.sigmoid()[:, :, None]
            best = max(best, float(scores.max()))
        assert best == pytest.approx(float(found.detections.scores[0]), abs=1e-6)


def test_head_maps_of_a_detector_without_them_are_an_error(tmp_path):
    with pytest.raises(ConfigError, match='FasterRCNN.*no dense class maps'):
        detector_of(tmp_path, 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', head_maps=True)


def official_detector(shared_data, backend, score_threshold):
    """The names of COCO's classes, and Megvii's YOLOX nano."""
    names = [c['name'] for c in json.loads((shared_data / 'coco80/val-instances.json').read_text())['categories']]
    files = (shared_data.parent / 'weights' / 'yolox_nano_coco_megvii.pth',)
    params = InferParams(tuple(names), (), files, config_file=NANO)
    return names, load_detector(params, CORES, score_threshold=score_threshold, backend=backend)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize('backend', [TORCH, MMDET])  # tests/test_candidates.py runs the whole task with the runtime
def test_each_backend_has_the_official_accuracy(tmp_path, shared_data, backend):
    """mmdet's own test pipeline with whole-pixel boxes gives AP 0.304, AP50 0.469 (`shared/data/README.md`)."""
    names, detector = official_detector(shared_data, backend, score_threshold=0.001)
    result = {}
    for line in (shared_data / 'coco80/mining/in/candidate-index.tsv').read_text().splitlines():
        name = line.rpartition('/')[2]
        prepared = detector.prepare(read_image(next((shared_data / 'coco80/assets').rglob(name))))
        (found,) = detector([prepared])
        boxes = to_whole_xywh(found.detections.boxes, *prepared.size).tolist()
        rows = zip([names[label] for label in found.detections.labels], found.detections.scores.tolist(), boxes)
        result[name] = {'boxes': json.loads(infer_line((name, score, tuple(box)) for name, score, box in rows))}
    (tmp_path / 'infer-result.json').write_text(json.dumps({'detection': result}))
    AP, AP50 = average_precision(tmp_path / 'infer-result.json', shared_data / 'coco80/val-instances.json')
    assert pytest.approx(0.304, abs=0.003) == AP
    assert pytest.approx(0.469, abs=0.003) == AP50


@pytest.mark.shared
@pytest.mark.parametrize('backend', [ONNX, TORCH, MMDET])
def test_boxes_and_scores_are_those_of_the_official_graph(shared_data, backend):
    """On the same input, decoded here: every official candidate that NMS keeps is ours too, and no other is."""
    _, detector = official_detector(shared_data, backend, score_threshold=0.05)
    graph = official_graph(shared_data.parent / 'weights')
    compared = 0
    for file in sorted((shared_data / 'coco80/assets').rglob('*.jpg'))[:12]:
        prepared = detector.prepare(read_image(file))
        boxes, scores, labels = decode(graph(prepared.pixels), prepared.scale)
        (found,) = detector([prepared])
        for box, score, label in zip(found.detections.boxes, found.detections.scores, found.detections.labels):
            distance = np.abs(boxes - box).max(axis=1) + 1000 * (labels != label)
            nearest = int(distance.argmin())
            assert distance[nearest] < 0.1
            assert abs(scores[nearest] - score) < 1e-3
            compared += 1
        kept = greedy_nms(boxes, scores, labels, 0.05, 0.65)
        assert abs(len(kept) - len(found.detections)) <= 1  # a score or an overlap just at the threshold
    assert compared > 100
