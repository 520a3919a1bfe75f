"""The complete IoU: by hand, and of many boxes as mmdet computes it."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet.models.losses.iou_loss import ciou_loss

from executor.models.yolov5.ciou import ciou

BOX = (10.0, 20.0, 40.0, 81.0)


@pytest.mark.parametrize(
    'found, wanted',
    [
        (BOX, 1.0),
        ((10.0, 20.0, 10.0, 20.0), -(15**2 + 30.5**2) / (30**2 + 61**2)),  # no area, in the corner
        ((40.0, 20.0, 70.0, 81.0), -(30**2) / (60**2 + 61**2)),  # beside it, as large
        ((10.0, 20.0, 25.0, 81.0), 0.5 - 7.5**2 / (30**2 + 61**2)),  # a half of it: up to there shape does not count
    ],
)
def test_by_hand(found, wanted):
    assert float(ciou(torch.tensor([found]), torch.tensor([BOX]))) == pytest.approx(wanted, abs=1e-5)


def test_the_shape_counts_for_boxes_that_fit():
    shape = 4 / math.pi**2 * (math.atan(20 / 61) - math.atan(30 / 61)) ** 2
    wanted = 2 / 3 - shape * shape / (1 / 3 + shape)
    assert float(ciou(torch.tensor([[15.0, 20, 35, 81]]), torch.tensor([BOX]))) == pytest.approx(wanted, abs=1e-6)


def test_many_boxes_as_mmdet():
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(2, 1000, 2, generator=generator) * 20
    boxes = torch.cat([corners, corners + 1 + torch.rand(2, 1000, 2, generator=generator) * 30], dim=2)
    theirs = 1 - ciou_loss(*boxes, reduction='none')
    torch.testing.assert_close(ciou(*boxes).clamp(-1, 1), theirs, rtol=0, atol=1e-5)
    assert (theirs > 0.5).sum() > 20
