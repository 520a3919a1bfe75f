"""Boxes of anchors with objectness: one by hand, many against mmdet's own post-processing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmdet.models.dense_heads import YOLOV3Head
from mmengine.config import ConfigDict

from executor.images.prepare import Prepared
from executor.models.anchored import AnchoredHead
from executor.models.dense import metas

SIDE = 64
STRIDES = (32, 16, 8)


def head(classes: int, score_thr: float = 0.05, nms=None, max_per_img: int = 10**6, **test_cfg) -> YOLOV3Head:
    nms = nms or {'type': 'nms', 'iou_threshold': 0.45}
    test_cfg = ConfigDict(score_thr=score_thr, nms=nms, max_per_img=max_per_img, **test_cfg)
    return YOLOV3Head(num_classes=classes, in_channels=(4, 4, 4), out_channels=(4, 4, 4), test_cfg=test_cfg)


def raw_outputs(classes: int, batch: int = 1, fill=None) -> list[list[torch.Tensor]]:
    """Head maps of a SIDE x SIDE input; random where `fill` gives no number."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(batch, 3 * (5 + classes), SIDE // stride, SIDE // stride) for stride in STRIDES]
    return [[torch.randn(s, generator=generator) if fill is None else torch.full(s, float(fill)) for s in shapes]]


def image(width: int = SIDE, height: int = SIDE, scale: float = 1.0) -> Prepared:
    return Prepared(np.zeros((SIDE, SIDE, 3), np.uint8), (width, height), (scale, scale))


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_one_box_by_hand():
    """At stride 16, column 1, row 2, anchor 62 x 45: two of three classes score enough, each is a box."""
    raw = raw_outputs(3, fill=-20)
    place = raw[0][1].view(1, 3, 8, 4, 4)[0, 1, :, 2, 1]
    xywh = [logit(0.25), logit(0.75), math.log(0.5), math.log(2)]
    place[:] = torch.tensor([*xywh, logit(0.8), logit(0.1), logit(0.5), logit(0.25)])
    (found,) = AnchoredHead(head(3, score_thr=0.1), class_scores=True).detections(raw, [image(scale=0.5)])
    # In the network's pixels the centre is (1.25, 2.75) * 16 = 20, 44, the size 31 x 90; twice that in the image.
    np.testing.assert_allclose(found.boxes, [[9, -2, 71, 178]] * 2, atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.4, 0.2], atol=1e-6)
    assert found.labels.tolist() == [1, 2]
    np.testing.assert_allclose(found.class_scores, [[0.08, 0.4, 0.2]] * 2, atol=1e-6)


@pytest.mark.parametrize('class_scores, shape', [(False, None), (True, (0, 3))])
def test_nothing_found(class_scores, shape):
    (found,) = AnchoredHead(head(3), class_scores).detections(raw_outputs(3, fill=-20), [image()])
    assert found.boxes.shape == (0, 4)
    assert len(found) == len(found.labels) == 0
    assert (found.class_scores if shape is None else found.class_scores.shape) == shape


@pytest.mark.parametrize('classes', [1, 5])
@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize(
    'test_cfg',
    [
        *({'score_thr': threshold} for threshold in (0.05, 0.0, 0.3, 0.99)),
        {'score_thr': 0.1, 'conf_thr': 0.6},
        {'score_thr': 0.1, 'min_bbox_size': 40},
        {'score_thr': 0.1, 'max_per_img': 7},
        {'score_thr': 0.1, 'nms': {'type': 'nms', 'iou_threshold': 0.5, 'class_agnostic': True}},
    ],
    ids=str,
)
def test_the_same_boxes_as_mmdet(classes, batch, test_cfg):
    """mmdet compares the class alone with the threshold, and leaves lower scores in: these come last."""
    peer = head(classes, nms_pre=10**6, **test_cfg)
    raw = raw_outputs(classes, batch)
    images = [image(100 + number, 80, scale=0.25 * (number + 1)) for number in range(batch)]
    found = AnchoredHead(peer, class_scores=True).detections(raw, images)
    expected = peer.predict_by_feat(*raw, batch_img_metas=metas(images), rescale=True)
    assert len(found) == len(expected) == batch
    for ours, theirs in zip(found, expected):
        count = int((theirs.scores >= test_cfg['score_thr']).sum())
        assert len(ours) == count and (count > 0 or test_cfg['score_thr'] > 0.9)
        np.testing.assert_allclose(ours.scores, theirs.scores[:count], atol=1e-6)
        np.testing.assert_allclose(ours.boxes, theirs.bboxes[:count], rtol=1e-4, atol=1e-3)
        assert ours.labels.tolist() == theirs.labels[:count].tolist()
        np.testing.assert_array_equal(ours.class_scores[range(len(ours)), ours.labels], ours.scores)


def test_no_more_than_the_best_go_into_nms():
    raw = raw_outputs(3, batch=2)
    every, few = (
        AnchoredHead(head(3, nms_pre=most, nms={'type': 'nms', 'iou_threshold': 1.0}), False) for most in (10**6, 10)
    )
    for whole, best in zip(every.detections(raw, [image()] * 2), few.detections(raw, [image()] * 2)):
        assert len(whole) > 100 and len(best) == 10
        np.testing.assert_array_equal(best.boxes, whole.boxes[:10])


def test_head_maps_are_the_logits_by_anchor():
    raw = raw_outputs(2, batch=2)
    maps = AnchoredHead(head(2), class_scores=False).head_maps(raw)
    assert [level.class_logits.shape for level in maps] == [(2, 3, 2, 2, 2), (2, 3, 2, 4, 4), (2, 3, 2, 8, 8)]
    assert [level.objectness_logits.shape for level in maps] == [(2, 3, 2, 2), (2, 3, 4, 4), (2, 3, 8, 8)]
    for level, logits in zip(maps, raw[0]):
        for anchor in range(3):  # x, y, w, h, objectness and two classes of each
            assert torch.equal(level.objectness_logits[:, anchor], logits[:, anchor * 7 + 4])
            assert torch.equal(level.class_logits[:, anchor], logits[:, anchor * 7 + 5 : anchor * 7 + 7])
