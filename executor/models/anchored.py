"""Make boxes of the raw maps of YOLOv3's head and its kin, which hold box, objectness and classes of every anchor."""

from __future__ import annotations

from typing import List, Tuple

import torch
from torch import Tensor

from executor.detections import HeadMap
from executor.models.dense import Choice
from executor.models.objectness import Candidates, ObjectnessHead, logit, product
from executor.network.dense import RawOutputs


class AnchoredHead(ObjectnessHead):
    """Post-processing of a head that predicts for anchors with objectness: every class of a box that scores is a box.

    The head's `bbox_coder` decodes, so it may be YOLOv3's or another that takes the same.
    """

    def __init__(self, head: torch.nn.Module, class_scores: bool) -> None:
        """Read the settings of mmdet's YOLOV3Head or a head derived from it."""
        super().__init__(head, class_scores)
        self.least_logit = max(self.least_logit, logit(float(head.test_cfg.get('conf_thr', 0))))
        self.most_before_nms = head.test_cfg.get('nms_pre', -1)
        self.least_side = float(head.test_cfg.get('min_bbox_size', -1))
        self._head = head
        self._least_objectness = float(head.test_cfg.get('conf_thr', 0))
        self._coder = head.bbox_coder
        # Of the position at the top left, (A, 4) a level.
        self._anchors = [level.double() for level in head.prior_generator.base_anchors]
        self._strides = head.prior_generator.strides  # (x, y)

    def candidates(self, raw: RawOutputs) -> List[Candidates]:
        if self._anchors[0].device != raw[0][0].device:
            self._anchors = [level.to(raw[0][0].device) for level in self._anchors]
        return [self._of_level(*level) for level in zip(raw[0], self._anchors, self._strides)]

    def _of_level(self, level: Tensor, anchors: Tensor, strides: Tuple[int, int]) -> Candidates:
        maps = _by_anchor(level, len(anchors))
        image, anchor, y, x = torch.where(maps[:, :, 4] >= self.least_logit)  # (M,) each
        found = maps.permute(0, 1, 3, 4, 2)[image, anchor, y, x]  # (M, 5 + C)
        offsets = torch.stack([x * strides[0], y * strides[1]], dim=1).repeat(1, 2)
        priors = anchors[anchor] + offsets
        raw = found[:, :4].double()
        centred = torch.cat([raw[:, :2].sigmoid(), raw[:, 2:]], dim=1)  # as the coder expects it
        boxes = self._coder.decode(priors, centred, priors.new_full((len(priors), 1), strides[0]))
        return Candidates(image, found[:, 5:], found[:, 4], boxes)

    def scored(self, class_logits: Tensor, objectness: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Take every class of each candidate that scores enough."""
        scores = product(class_logits, objectness[:, None])
        numbers, labels = torch.where(scores >= self.score_threshold)
        return numbers, labels, scores[numbers, labels]

    def every_box(self, raw: RawOutputs, size: Tensor) -> Tuple[Tensor, Tensor]:
        parts = [self._every_of_level(*level) for level in enumerate(raw[0])]
        boxes, scores = (torch.cat(part) for part in zip(*parts))
        return boxes, scores

    def _every_of_level(self, number: int, level: Tensor) -> Tuple[Tensor, Tensor]:
        anchors = len(self._anchors[number])
        found = level[0].permute(1, 2, 0).reshape(-1, level.shape[1] // anchors)  # (h w A, 5 + C)
        generator = self._head.prior_generator
        priors = generator.single_level_grid_priors(level.shape[-2:], number, device=level.device)
        centred = torch.cat([found[:, :2].sigmoid(), found[:, 2:4]], dim=1)  # as the coder expects it
        boxes = self._coder.decode(priors, centred, torch.full_like(priors[:, :1], self._strides[number][0]))
        objectness = found[:, 4:5].sigmoid()
        objectness = objectness * (objectness >= self._least_objectness)
        return boxes, found[:, 5:].sigmoid() * objectness

    @property
    def choice(self) -> Choice:
        return Choice.of(self._head, one_class=False)

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        maps = [_by_anchor(level, len(anchors)) for level, anchors in zip(raw[0], self._anchors)]
        return [HeadMap(level[:, :, 5:], level[:, :, 4]) for level in maps]


def _by_anchor(level: Tensor, anchors: int) -> Tensor:
    """Part (B, A (5 + C), h, w) by anchor: (B, A, 5 + C, h, w); x, y, w, h, objectness, classes."""
    return level.reshape(len(level), anchors, -1, *level.shape[2:])
