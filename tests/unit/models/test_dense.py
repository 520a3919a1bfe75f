"""What mmdet says of a batch, as ours."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import InstanceData

from executor.models.dense import detections_of


def instances(*rows):
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return InstanceData(bboxes=table[:, :4], scores=table[:, 4], labels=table[:, 5].long())


def test_each_image_of_a_batch_has_its_boxes_the_surest_first():
    several = instances([1, 2, 3, 4, 0.25, 2], [5, 6, 7, 8, 0.75, 0])
    found = detections_of([several, instances(), instances([9, 9, 10, 10, 0.5, 1])], 3, class_scores=True)
    assert [one.boxes.tolist() for one in found] == [[[5, 6, 7, 8], [1, 2, 3, 4]], [], [[9, 9, 10, 10]]]
    assert [one.scores.tolist() for one in found] == [[0.75, 0.25], [], [0.5]]
    assert [one.labels.tolist() for one in found] == [[0, 2], [], [1]]
    assert [one.class_scores.shape for one in found] == [(2, 3), (0, 3), (1, 3)]
    np.testing.assert_allclose(found[0].class_scores, [[0.75, 0.125, 0.125], [0.375, 0.375, 0.25]])
    assert {one.labels.dtype for one in found} == {np.dtype(np.int64)}
    assert detections_of([], 3, class_scores=True) == []
