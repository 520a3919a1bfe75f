"""Make boxes of the raw maps of heads that know objectness, without touching every position.

mmdet computes scores and boxes for all positions and drops nearly all. A score is objectness times class, both at most
1, so a position whose objectness alone is below the threshold is dropped first.
"""

from __future__ import annotations

import abc
import math
from typing import List, NamedTuple, Sequence, Tuple

import torch
from mmcv.ops import batched_nms
from mmcv.ops.nms import NMSop
from torch import Tensor

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared
from executor.network.dense import RawOutputs

_SPLIT = 10000  # boxes, above which `batched_nms` goes class by class
_LARGEST = 1e5  # network pixels; a model just begun may predict infinity, which NMS cannot order


class Candidates(NamedTuple):
    """The M positions of a level that are worth a look."""

    image: Tensor  # (M,) its number in the batch
    class_logits: Tensor  # (M, C)
    objectness_logits: Tensor  # (M,)
    boxes: Tensor  # (M, 4) x1 y1 x2 y2 in network pixels, double


class ObjectnessHead(abc.ABC):
    """Post-processing of a head's outputs by the settings of its mmdet counterpart."""

    def __init__(self, head: torch.nn.Module, class_scores: bool) -> None:
        """Read the settings of mmdet's head; `class_scores` asks for the scores of all classes."""
        self.score_threshold = float(head.test_cfg.get('score_thr', 0.0))
        self.least_logit = logit(self.score_threshold)  # of an objectness that is worth a look
        self.most_before_nms = -1  # of an image's boxes; -1 for all
        self.least_side = -1.0  # that a box must exceed, in pixels of the original image; -1 where any may stay
        self._nms = head.test_cfg.get('nms')
        plain = self._nms is not None and set(self._nms) == {'type', 'iou_threshold'} and self._nms['type'] == 'nms'
        self._plain_nms = float(self._nms['iou_threshold']) if plain else 0.0
        self._most = head.test_cfg.get('max_per_img', -1)
        self._class_scores = class_scores

    @abc.abstractmethod
    def candidates(self, raw: RawOutputs) -> List[Candidates]:
        """Find the positions worth a look, of each level."""

    @abc.abstractmethod
    def scored(self, class_logits: Tensor, objectness: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Choose labels of (M, C) candidates: the candidate's number, the label and the score of each, (N,)."""

    @abc.abstractmethod
    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' class and objectness logits."""

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find boxes above the model's score threshold that survive NMS, in each of the B images."""
        image, class_logits, objectness, boxes = (torch.cat(parts) for parts in zip(*self.candidates(raw)))
        numbers, labels, scores = self.scored(class_logits, objectness)
        results = []
        for number, prepared in enumerate(images):
            above = scores >= self.score_threshold
            if len(images) > 1:
                above &= image[numbers] == number
            chosen = self._best(above.nonzero()[:, 0], scores)
            boxes_here = boxes[numbers[chosen]].clamp(-_LARGEST, _LARGEST)
            boxes_here = (boxes_here / boxes.new_tensor(prepared.scale * 2)).float()
            if self.least_side >= 0:
                large = (boxes_here[:, 2:] - boxes_here[:, :2] > self.least_side).all(dim=1)
                chosen, boxes_here = chosen[large], boxes_here[large]
            kept, kept_scores = self._kept(boxes_here, scores[chosen], labels[chosen])
            chosen = chosen[kept]
            parts = [boxes_here[kept], kept_scores, labels[chosen]]
            if self._class_scores:
                rows = numbers[chosen]
                parts.append(product(class_logits[rows], objectness[rows][:, None]))
            results.append(Detections(*(part.cpu().numpy() for part in parts)))
        return results

    def _best(self, chosen: Tensor, scores: Tensor) -> Tensor:
        """Leave of the chosen as many as go into NMS at most."""
        if not 0 < self.most_before_nms < len(chosen):
            return chosen
        return chosen[scores[chosen].topk(self.most_before_nms).indices]

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


def product(class_logits: Tensor, objectness: Tensor) -> Tensor:
    """Compute scores, class times objectness.

    In double precision, which is rounded away: in single, torch's result for a number depends on its place in the
    tensor, and with it on how many others were found.
    """
    return (class_logits.double().sigmoid() * objectness.double().sigmoid()).float()


def logit(probability: float) -> float:
    """Give a logit a little below, so that rounding drops nothing: the score itself is compared afterwards."""
    if probability <= 0:
        return -math.inf
    return math.log(probability / max(1 - probability, 1e-12)) - 1e-3
