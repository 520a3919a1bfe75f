"""YOLOv5's losses by hand, and what a new head expects."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from executor.images.prepare import Prepared
from executor.models.anchored import AnchoredHead
from executor.models.dense import metas
from tests.support.zoo import built

SIDE = 128
STRIDES = (8, 16, 32)
CENTRE = (40.0, 56.0)  # of the cell in column 2, row 3 at stride 16
ANCHOR = (30.0, 61.0)  # the first of that level


@pytest.fixture
def head():
    """A head of which the anchor 30 x 61 alone learns from a box that is up to 1.6 times as wide or high."""
    head = built('configs/yolov5/yolov5n_8x8_300e_coco.py').bbox_head
    head.largest_ratio = 1.6
    return head


def maps(batch: int = 1) -> list[torch.Tensor]:
    """Logits of 0: each box is its anchor, in the middle of its cell."""
    return [torch.zeros(batch, 3 * 85, SIDE // stride, SIDE // stride) for stride in STRIDES]


def place(levels, image: int = 0) -> torch.Tensor:
    """The 85 numbers that such an anchor learns with at `CENTRE`."""
    return levels[1].view(-1, 3, 85, 8, 8)[image, 0, :, 3, 2]


def true_boxes(*sizes: tuple[float, float], label: int = 7) -> InstanceData:
    x, y = CENTRE
    boxes = torch.tensor([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for w, h in sizes]).view(-1, 4)
    return InstanceData(bboxes=boxes, labels=torch.full((len(sizes),), label))


def losses(head, levels, *images) -> dict[str, float]:
    return {name: float(value) for name, value in head.loss_by_feat(levels, images, [{}] * len(images)).items()}


def objectness(change: float) -> float:
    """The loss where one place of stride 16 loses `change` more than log 2, as all others do.

    An image of 128 x 128 has a 25th of the 3 * 40 * 40 places that the loss of this level is weighed for.
    """
    return 64 * ((4 + 1 + 0.4) * math.log(2) / 25 + change / (3 * 40 * 40))


def test_without_boxes_only_objectness_is_learned(head):
    found = losses(head, maps(batch=2), true_boxes(), true_boxes())
    assert found['loss_bbox'] == found['loss_cls'] == 0
    assert found['loss_obj'] == pytest.approx(objectness(0), rel=1e-5)


def test_a_box_that_is_found_exactly(head):
    levels = maps()
    place(levels)[4] = 2.0
    place(levels)[5 + 7] = 3.0
    found = losses(head, levels, true_boxes(ANCHOR))
    assert found['loss_bbox'] == pytest.approx(0, abs=1e-5)
    assert found['loss_obj'] == pytest.approx(objectness(math.log(1 + math.exp(-2)) - math.log(2)), rel=1e-5)
    assert found['loss_cls'] == pytest.approx(32 * (math.log(1 + math.exp(-3)) + 79 * math.log(2)) / 80, rel=1e-5)


def test_a_box_of_another_width(head):
    """20 x 61 within 30 x 61, about the same centre: an IoU of two thirds, less what the paper takes for the shape."""
    levels = maps()
    place(levels)[4] = 1.0
    found = losses(head, levels, true_boxes((20.0, 61.0)))
    shape = 4 / math.pi**2 * (math.atan(20 / 61) - math.atan(30 / 61)) ** 2
    ciou = 2 / 3 - shape * shape / (1 / 3 + shape)
    assert found['loss_bbox'] == pytest.approx(0.05 * 64 * (1 - ciou), rel=1e-4)
    assert found['loss_obj'] == pytest.approx(objectness(math.log(1 + math.e) - ciou - math.log(2)), rel=1e-5)


def test_the_losses_of_boxes_and_classes_are_means(head):
    one = losses(head, maps(), true_boxes((20.0, 61.0)))
    both = losses(head, maps(batch=2), true_boxes(ANCHOR), true_boxes((20.0, 61.0)))
    assert both['loss_bbox'] == pytest.approx(one['loss_bbox'] / 2, rel=1e-4)
    assert both['loss_cls'] == pytest.approx(one['loss_cls'], rel=1e-5)


@pytest.mark.parametrize('sizes', [(ANCHOR, (20.0, 61.0)), ((20.0, 61.0), ANCHOR)], ids=['first', 'last'])
def test_a_place_that_two_boxes_want_says_the_better(head, sizes):
    levels = maps()
    place(levels)[4] = 2.0
    found = losses(head, levels, true_boxes(*sizes))
    assert found['loss_obj'] == pytest.approx(objectness(math.log(1 + math.exp(-2)) - math.log(2)), rel=1e-5)


def test_whatever_is_found_every_number_gets_a_sound_gradient(head):
    head.largest_ratio = 4.0
    generator = torch.Generator().manual_seed(1)
    levels = [(torch.randn(level.shape, generator=generator) * 9).requires_grad_() for level in maps(batch=3)]
    images = [true_boxes((40.0, 40.0), (12.0, 15.0)), true_boxes(), true_boxes((100.0, 90.0))]
    sum(head.loss_by_feat(levels, images, [{}] * 3).values()).backward()
    for level in levels:
        assert level.grad.isfinite().all() and (level.grad.view(3, 3, 85, -1)[:, :, 4] != 0).all()


def test_fewer_classes_weigh_less():
    """The mean over three classes is for as many of them as a 27th of that over 80."""
    three = built('configs/yolov5/yolov5n_8x8_300e_coco.py', {'bbox_head': {'num_classes': 3}}).bbox_head
    assert three.class_weight == pytest.approx(32 * 3 / 80)


def test_validation_finds_what_detection_does(head):
    generator = torch.Generator().manual_seed(1)
    levels = [torch.randn(level.shape, generator=generator) - 3 for level in maps(batch=2)]
    images = [Prepared(np.zeros((SIDE, SIDE, 3), np.uint8), (width, 100), (0.5, 0.25)) for width in (80, 90)]
    detected = AnchoredHead(head, class_scores=False).detections([levels], images)
    validated = head.predict_by_feat(levels, batch_img_metas=metas(images), rescale=True)
    for theirs, ours in zip(detected, validated):
        assert len(ours) == 300
        for part, name in ((theirs.boxes, 'bboxes'), (theirs.scores, 'scores'), (theirs.labels, 'labels')):
            np.testing.assert_array_equal(ours[name].numpy(), part)
    unscaled = head.predict_by_feat(levels, batch_img_metas=metas(images))
    torch.testing.assert_close(unscaled[0].bboxes, validated[0].bboxes * torch.tensor([0.5, 0.25, 0.5, 0.25]))


def test_a_new_head_expects_few_objects(head):
    torch.manual_seed(1)
    head.init_weights()
    for convolution, stride in zip(head.convs_pred, STRIDES):
        bias = convolution.bias.detach().view(3, 85)
        assert bias[:, 4].mean() == pytest.approx(math.log(8 / (640 / stride) ** 2), abs=0.2)
        assert bias[:, 5:].mean() == pytest.approx(-math.log(80), abs=0.1)
        assert bias[:, :4].abs().max() < 0.2
