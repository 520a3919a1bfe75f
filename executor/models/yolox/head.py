"""Make boxes of YOLOX's raw head maps: those of mmdet's `predict_by_feat`."""

from __future__ import annotations

from typing import List, Tuple

import torch
from torch import Tensor

from executor.detections import HeadMap
from executor.models.dense import Choice
from executor.models.objectness import Candidates, ObjectnessHead, product
from executor.network.dense import RawOutputs


class YoloxHead(ObjectnessHead):
    """Post-processing of a YOLOX model's outputs: classes, boxes and objectness apart, a position is one candidate."""

    def __init__(self, head: torch.nn.Module, class_scores: bool) -> None:
        """Read the settings of mmdet's YOLOXHead."""
        super().__init__(head, class_scores)
        self._head = head
        self._strides = [stride[0] for stride in head.prior_generator.strides]

    def candidates(self, raw: RawOutputs) -> List[Candidates]:
        return [self._of_level(*level) for level in zip(*raw, self._strides)]

    def _of_level(self, classes: Tensor, boxes: Tensor, objectness: Tensor, stride: int) -> Candidates:
        image, y, x = torch.where(objectness[:, 0] >= self.least_logit)  # (M,) each
        raw = boxes.permute(0, 2, 3, 1)[image, y, x].double()  # (M, 4)
        center = (raw[:, :2] + torch.stack([x, y], dim=1)) * stride
        half = raw[:, 2:].exp() * (stride / 2)
        corners = torch.cat([center - half, center + half], dim=1)
        return Candidates(image, classes.permute(0, 2, 3, 1)[image, y, x], objectness[image, 0, y, x], corners)

    def scored(self, class_logits: Tensor, objectness: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Take the best class of each candidate."""
        best, labels = class_logits.max(dim=1)
        return torch.arange(len(best), device=best.device), labels, product(best, objectness)

    def every_box(self, raw: RawOutputs, size: Tensor) -> Tuple[Tensor, Tensor]:
        parts = [self._every_of_level(number, *level) for number, level in enumerate(zip(*raw))]
        boxes, scores = (torch.cat(part) for part in zip(*parts))
        return boxes, scores

    def _every_of_level(self, number: int, classes: Tensor, boxes: Tensor, objectness: Tensor) -> Tuple[Tensor, Tensor]:
        raw, stride = boxes[0].permute(1, 2, 0).reshape(-1, 4), self._strides[number]
        points = self._head.prior_generator.single_level_grid_priors(boxes.shape[-2:], number, device=boxes.device)
        center = raw[:, :2] * stride + points
        half = raw[:, 2:].exp() * (stride / 2)
        scores = (classes[0].sigmoid() * objectness[0].sigmoid()).permute(1, 2, 0).reshape(-1, classes.shape[1])
        return torch.cat([center - half, center + half], dim=1), scores

    @property
    def choice(self) -> Choice:
        return Choice.of(self._head, one_class=True)

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        classes, _, objectness = raw
        return [HeadMap(level[:, None], obj) for level, obj in zip(classes, objectness)]
