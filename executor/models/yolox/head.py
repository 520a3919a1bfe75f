"""Make boxes of YOLOX's raw head maps: those of mmdet's `predict_by_feat`, without touching every position.

mmdet computes scores and boxes for all positions and drops nearly all. A score is objectness times class, both at most
1, so a position whose objectness alone is below the threshold is dropped first.
"""

from __future__ import annotations

import math
from typing import List, Sequence, Tuple

import torch
from mmcv.ops import batched_nms
from mmcv.ops.nms import NMSop
from torch import Tensor

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared
from executor.network.dense import RawOutputs

_SPLIT = 10000  # boxes, above which `batched_nms` goes class by class
_LARGEST = 1e5  # network pixels; a model just begun may predict infinity, which NMS cannot order


class YoloxHead:
    """Post-processing of a YOLOX model's outputs."""

    def __init__(self, head: torch.nn.Module, class_scores: bool) -> None:
        """Read the settings of mmdet's YOLOXHead; `class_scores` asks for the scores of all classes."""
        self._strides = [stride[0] for stride in head.prior_generator.strides]
        self._score_threshold = float(head.test_cfg.score_thr)
        self._least_logit = _logit(self._score_threshold)
        self._nms = head.test_cfg.get('nms')
        plain = self._nms is not None and set(self._nms) == {'type', 'iou_threshold'} and self._nms['type'] == 'nms'
        self._plain_nms = float(self._nms['iou_threshold']) if plain else 0.0
        self._most = head.test_cfg.get('max_per_img', -1)
        self._class_scores = class_scores

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find boxes above the model's score threshold that survive NMS, in each of the B images."""
        found = [self._candidates(*level) for level in zip(*raw, self._strides)]
        image, class_logits, objectness, boxes = (torch.cat(parts) for parts in zip(*found))
        best, labels = class_logits.max(dim=1)
        # In double precision, which is rounded away: in single, torch's result for a number depends on its place in the
        # tensor, and with it on how many others were found.
        scores = (best.double().sigmoid() * objectness.double().sigmoid()).float()
        results = []
        for number, prepared in enumerate(images):
            chosen = scores >= self._score_threshold
            if len(images) > 1:
                chosen &= image == number
            boxes_here = (boxes[chosen] / boxes.new_tensor(prepared.scale * 2)).float()
            kept, kept_scores = self._kept(boxes_here, scores[chosen], labels[chosen])
            parts = [boxes_here[kept], kept_scores, labels[chosen][kept]]
            if self._class_scores:
                logits, objects = class_logits[chosen][kept], objectness[chosen][kept]
                parts.append((logits.double().sigmoid() * objects.double().sigmoid()[:, None]).float())
            results.append(Detections(*(part.cpu().numpy() for part in parts)))
        return results

    def _candidates(self, classes: Tensor, boxes: Tensor, objectness: Tensor, stride: int) -> Tuple[Tensor, ...]:
        """Give a level's positions worth a look: image, class logits, objectness logit, box in network pixels."""
        image, y, x = torch.where(objectness[:, 0] >= self._least_logit)  # (M,) each
        raw = boxes.permute(0, 2, 3, 1)[image, y, x].double()  # (M, 4)
        center = (raw[:, :2] + torch.stack([x, y], dim=1)) * stride
        half = raw[:, 2:].exp() * (stride / 2)
        corners = torch.cat([center - half, center + half], dim=1).clamp(-_LARGEST, _LARGEST)
        return image, classes.permute(0, 2, 3, 1)[image, y, x], objectness[image, 0, y, x], corners

    def _kept(self, boxes: Tensor, scores: Tensor, labels: Tensor) -> Tuple[Tensor, Tensor]:
        """Choose the boxes that stay, best first; gives their scores, too, which some kinds of NMS change."""
        if not len(scores):
            return labels, scores
        if self._plain_nms and len(scores) < _SPLIT:
            # `batched_nms` does the same and takes longer to find out what to do than to do it: boxes of different
            # classes are moved apart, so that they cannot overlap.
            apart = boxes + (labels.to(boxes) * (boxes.max() + 1))[:, None]
            kept = NMSop.apply(apart, scores, self._plain_nms, 0, 0, -1)
            kept_scores = scores[kept]
        else:
            rows, kept = batched_nms(boxes, scores, labels, self._nms)
            kept_scores = rows[:, -1]
        return (kept[: self._most], kept_scores[: self._most]) if self._most > 0 else (kept, kept_scores)

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' class and objectness logits."""
        classes, _, objectness = raw
        return [HeadMap(level[:, None], obj) for level, obj in zip(classes, objectness)]


def _logit(probability: float) -> float:
    """Give a logit a little below, so that rounding drops nothing: the score itself is compared afterwards."""
    if probability <= 0:
        return -math.inf
    return math.log(probability / max(1 - probability, 1e-12)) - 1e-3
