"""YOLOX's boxes: one by hand, many against mmdet's own post-processing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmdet.models.dense_heads import YOLOXHead
from mmengine.config import ConfigDict

from executor.images.prepare import Prepared
from executor.models.dense import metas
from executor.models.yolox.head import YoloxHead

SIDE = 64
STRIDES = (8, 16, 32)


def head(classes: int, score_thr: float = 0.01, nms=None, **test_cfg) -> YOLOXHead:
    nms = nms or {'type': 'nms', 'iou_threshold': 0.65}
    test_cfg = ConfigDict(score_thr=score_thr, nms=nms, **test_cfg)
    return YOLOXHead(num_classes=classes, in_channels=4, feat_channels=4, test_cfg=test_cfg)


def raw_outputs(classes: int, batch: int = 1, fill=None) -> list[list[torch.Tensor]]:
    """Head maps of a SIDE x SIDE input; random where `fill` gives no number."""
    generator = torch.Generator().manual_seed(1)

    def level(channels: int, stride: int) -> torch.Tensor:
        shape = (batch, channels, SIDE // stride, SIDE // stride)
        return torch.randn(shape, generator=generator) if fill is None else torch.full(shape, float(fill))

    return [[level(channels, stride) for stride in STRIDES] for channels in (classes, 4, 1)]


def image(width: int = SIDE, height: int = SIDE, scale: float = 1.0) -> Prepared:
    return Prepared(np.zeros((SIDE, SIDE, 3), np.uint8), (width, height), (scale, scale))


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_one_box_by_hand():
    """At stride 16, column 1, row 2: center (1 + 0.5, 2 - 0.25) * 16, size exp(log 2), exp(0) strides."""
    raw = classes, boxes, objectness = raw_outputs(3, fill=-20)
    objectness[1][0, 0, 2, 1] = logit(0.8)
    classes[1][0, :, 2, 1] = torch.tensor([logit(0.1), logit(0.5), logit(0.25)])
    boxes[1][0, :, 2, 1] = torch.tensor([0.5, -0.25, math.log(2), 0.0])
    (found,) = YoloxHead(head(3), class_scores=True).detections(raw, [image(scale=0.5)])
    # In the network's pixels x 24 - 16 .. 24 + 16, y 28 - 8 .. 28 + 8; twice that in the image.
    np.testing.assert_allclose(found.boxes, [[16, 40, 80, 72]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.4], atol=1e-6)
    assert found.labels.tolist() == [1]
    np.testing.assert_allclose(found.class_scores, [[0.08, 0.4, 0.2]], atol=1e-6)


@pytest.mark.parametrize('class_scores, shape', [(False, None), (True, (0, 3))])
def test_nothing_found(class_scores, shape):
    (found,) = YoloxHead(head(3), class_scores).detections(raw_outputs(3, fill=-20), [image()])
    assert found.boxes.shape == (0, 4)
    assert len(found) == len(found.labels) == 0
    assert (found.class_scores if shape is None else found.class_scores.shape) == shape


@pytest.mark.parametrize('classes', [1, 5])
@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize(
    'test_cfg',
    [
        *({'score_thr': threshold} for threshold in (0.01, 0.0, 0.3, 0.99)),
        {'score_thr': 0.01, 'nms': {'type': 'nms', 'iou_threshold': 0.2}},
        {'score_thr': 0.01, 'nms': {'type': 'nms', 'iou_threshold': 0.5, 'class_agnostic': True}},
        {'score_thr': 0.01, 'nms': {'type': 'soft_nms', 'iou_threshold': 0.3, 'min_score': 0.02}},
    ],
    ids=str,
)
def test_the_same_boxes_as_mmdet(classes, batch, test_cfg):
    peer = head(classes, **test_cfg)
    raw = raw_outputs(classes, batch)
    images = [image(100 + number, 80, scale=0.25 * (number + 1)) for number in range(batch)]
    found = YoloxHead(peer, class_scores=True).detections(raw, images)
    expected = peer.predict_by_feat(*raw, batch_img_metas=metas(images), rescale=True)
    assert len(found) == len(expected) == batch
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-6)
        np.testing.assert_allclose(ours.boxes, theirs.bboxes, rtol=1e-5, atol=1e-4)
        assert ours.labels.tolist() == theirs.labels.tolist()
        assert ours.class_scores.shape == (len(ours), classes)
        if test_cfg.get('nms', {}).get('type') != 'soft_nms':  # which changes scores
            np.testing.assert_array_equal(ours.class_scores.max(axis=1), ours.scores)


def test_boxes_at_infinity_are_no_failure():
    raw = raw_outputs(2, fill=3)
    for boxes in raw[1]:
        boxes[:] = 1000
    (found,) = YoloxHead(head(2), class_scores=False).detections(raw, [image()])
    assert np.isfinite(found.boxes).all()


def test_head_maps_are_the_logits_by_anchor():
    raw = classes, _, objectness = raw_outputs(2, batch=2)
    maps = YoloxHead(head(2), class_scores=False).head_maps(raw)
    assert [level.class_logits.shape for level in maps] == [(2, 1, 2, 8, 8), (2, 1, 2, 4, 4), (2, 1, 2, 2, 2)]
    assert all(torch.equal(level.class_logits[:, 0], logits) for level, logits in zip(maps, classes))
    assert all(torch.equal(level.objectness_logits, logits) for level, logits in zip(maps, objectness))
