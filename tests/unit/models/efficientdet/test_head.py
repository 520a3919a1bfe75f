"""EfficientDet's anchors and losses by hand, what a new head expects, and what of the head the levels share."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.structures import InstanceData

from executor.models.dense import DenseHead
from tests.support.zoo import built

CONFIG = 'configs/efficientdet/efficientdet_d0_8x8_300e_coco.py'
SIDE = 128
STRIDES = (8, 16, 32, 64, 128)
ANCHOR = 4 * 32 * 2 ** (1 / 3)  # a square one of stride 32, the fourth of nine: 161 pixels
PLACES = 9 * 3 * sum((SIDE // stride) ** 2 for stride in STRIDES)  # of three classes
META = {'img_shape': (SIDE, SIDE), 'pad_shape': (SIDE, SIDE)}


@pytest.fixture
def head():
    return built(CONFIG, {'bbox_head': {'num_classes': 3}}).bbox_head


def maps(value: float) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Logits of one value for all classes, and boxes that are their anchors."""
    sides = [SIDE // stride for stride in STRIDES]
    return [torch.full((1, 9 * 3, n, n), value) for n in sides], [torch.zeros(1, 9 * 4, n, n) for n in sides]


def losses(head, classes, boxes, *true_boxes, label: int = 1) -> tuple[float, float]:
    """Of classes and boxes."""
    truth = InstanceData(bboxes=torch.tensor(true_boxes).view(-1, 4), labels=torch.full((len(true_boxes),), label))
    found = head.loss_by_feat(classes, boxes, [truth], [META])
    return float(sum(found['loss_cls'])), float(sum(found['loss_bbox']))


def test_anchors_are_tensorflows(head):
    """By octave, then shape; about the middles of cells; 1.4 by 0.7, not the square roots of 2 and 1 / 2."""
    anchors = head.prior_generator.grid_priors([(SIDE // stride,) * 2 for stride in STRIDES], device='cpu')
    assert [len(level) for level in anchors] == [9 * (SIDE // stride) ** 2 for stride in STRIDES]
    x, y = 1.5 * 16, 2.5 * 16  # of column 1, row 2 at stride 16
    for place, (octave, width, height) in enumerate(
        (octave, *shape) for octave in range(3) for shape in ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))
    ):
        size = 4 * 16 * 2 ** (octave / 3) / 2
        expected = torch.tensor([x - size * width, y - size * height, x + size * width, y + size * height])
        torch.testing.assert_close(anchors[1][(2 * 8 + 1) * 9 + place], expected)


def focal(logit: float, is_class: bool) -> float:
    probability = 1 / (1 + math.exp(-logit))
    if is_class:
        return 0.25 * (1 - probability) ** 1.5 * -math.log(probability)
    return 0.75 * probability**1.5 * -math.log(1 - probability)


@pytest.mark.parametrize(
    'moved, widened, expected',
    [
        (0.0, 0.0, 0.0),
        (0.05, 0.0, 50 * 0.05**2 / 2 / 4),  # Huber's, up to 0.1
        (0.0, 0.2, 50 * 0.1 * (0.2 - 0.05) / 4),  # and above
    ],
)
def test_a_box_that_one_anchor_learns_from(head, moved, widened, expected):
    """The anchor in the cell of column 1, row 2; the box moved by a part of its width, or wider by a power of e."""
    head.assigner.pos_iou_thr = head.assigner.neg_iou_thr = 0.99  # so that the best alone learns
    classes, boxes = maps(-5.0)
    classes[2][0, 3 * 3 + 1, 2, 1] = 2.0
    x, y, half, wide = 1.5 * 32 + moved * ANCHOR, 2.5 * 32, ANCHOR / 2, ANCHOR / 2 * math.exp(widened)
    found = losses(head, classes, boxes, (x - wide, y - half, x + wide, y + half))
    assert found[0] == pytest.approx((PLACES - 1) * focal(-5.0, False) + focal(2.0, True), rel=1e-4)
    assert found[1] == pytest.approx(expected, abs=1e-5, rel=1e-3)


def test_an_image_without_boxes_teaches_what_is_background(head):
    classes, boxes = maps(-5.0)
    assert losses(head, classes, boxes) == pytest.approx((PLACES * focal(-5.0, False), 0.0), rel=1e-4)


def test_a_new_head_expects_few_objects(head):
    torch.manual_seed(1)
    head.init_weights()
    levels = [torch.randn(2, 64, SIDE // stride, SIDE // stride) for stride in STRIDES]
    head.train()
    scores = torch.cat([level.detach().sigmoid().flatten() for level in head(levels)[0]])
    assert float(scores.median()) == pytest.approx(0.01, rel=0.1) and float(scores.max()) < 0.05


def test_levels_share_convolutions_but_not_norms(head):
    head.init_weights()
    levels = [torch.ones(1, 64, 4, 4)] * 5
    before = head(levels)
    assert all(torch.equal(level, before[0][0]) for level in before[0])
    head.classes.norms[2][3].bias.data += 1
    after = head(levels)
    assert [torch.equal(*pair) for pair in zip(before[0], after[0])] == [True, True, True, False, True]
    assert all(torch.equal(*pair) for pair in zip(before[1], after[1]))
    head.classes.convolutions[1].pointwise.bias.data += 1
    assert not any(torch.equal(*pair) for pair in zip(after[0], head(levels)[0]))


def test_its_maps_are_parted_by_anchor_and_class(head):
    classes, boxes = maps(-5.0)
    classes[1][0, 4 * 3 + 2, 6, 5] = 3.0
    maps_of_levels = DenseHead(head, class_scores=False).head_maps([classes, boxes])
    assert [tuple(level.class_logits.shape) for level in maps_of_levels][1] == (1, 9, 3, 8, 8)
    assert maps_of_levels[1].class_logits[0, 4, 2, 6, 5] == 3.0 and maps_of_levels[1].objectness_logits is None
