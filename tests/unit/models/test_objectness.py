"""What goes for a whole batch at once: as many steps for many images as for few, and no image minds another."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from executor.models.anchored import AnchoredHead
from executor.models.yolox.head import YoloxHead
from tests.unit.models import test_anchored
from tests.unit.models.yolox import test_head as of_yolox

WAITING = ('aten::nonzero', 'aten::_local_scalar_dense', 'aten::_unique2', 'aten::equal')


def operations(batch: int) -> Counter:
    """Count what torch runs for a batch."""
    head = YoloxHead(of_yolox.head(3, 0.3), class_scores=True)
    raw = of_yolox.raw_outputs(3, batch)
    with torch.autograd.profiler.profile() as profile:
        head.detections(raw, [of_yolox.image()] * batch)
    return Counter(event.name for event in profile.function_events)


def test_a_batch_takes_no_more_steps_than_two_images():
    assert operations(16) == operations(2)


def test_a_device_is_waited_for_where_a_number_of_boxes_must_be_known():
    """Once a level, once for the scores, and once in NMS, however many images there are."""
    found = operations(16)
    assert {name: found[name] for name in WAITING if found[name]} == {
        'aten::nonzero': 4,
        'aten::_local_scalar_dense': 1,
    }


@pytest.mark.parametrize('test_cfg', [{}, {'nms_pre': 7}, {'min_bbox_size': 40}, {'max_per_img': 5}], ids=str)
def test_an_image_has_the_same_boxes_in_a_batch_as_alone(test_cfg):
    head = AnchoredHead(test_anchored.head(3, **test_cfg), class_scores=True)
    raw = test_anchored.raw_outputs(3, batch=4)
    images = [test_anchored.image(scale=scale) for scale in (1.0, 0.5, 2.0, 1.0)]
    together = head.detections(raw, images)
    assert len({len(found) for found in together}) > 1 or test_cfg
    for number, found in enumerate(together):
        (alone,) = head.detections([[level[number : number + 1] for level in raw[0]]], [images[number]])
        assert len(found) > 0
        for part in ('boxes', 'scores', 'labels', 'class_scores'):
            np.testing.assert_array_equal(getattr(found, part), getattr(alone, part))


def test_a_box_above_an_image_hides_none_at_the_bottom_of_the_one_before():
    """Both images have a box of 64 x 64 pixels, the one at 48 to 112, the other at -64 to 0."""
    raw = classes, boxes, objectness = of_yolox.raw_outputs(1, batch=2, fill=-20)
    for number, (row, moved) in enumerate(((3, 2.0), (0, -2.0))):
        objectness[1][number, 0, row, 1] = classes[1][number, 0, row, 1] = 5
        boxes[1][number, :, row, 1] = torch.tensor([0, moved, np.log(4), np.log(4)])
    found = YoloxHead(of_yolox.head(1), class_scores=False).detections(raw, [of_yolox.image()] * 2)
    assert [one.boxes.round().tolist() for one in found] == [[[-16, 48, 48, 112]], [[-16, -64, 48, 0]]]
