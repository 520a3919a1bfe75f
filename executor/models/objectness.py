"""Make boxes of the raw maps of heads that know objectness, without touching every position.

mmdet computes scores and boxes for all positions and drops nearly all. A score is objectness times class, both at most
1, so a position whose objectness alone is below the threshold is dropped first.
"""

from __future__ import annotations

import abc
import math
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from mmcv.ops import batched_nms
from mmcv.ops.nms import NMSop
from torch import Tensor

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared
from executor.models.dense import Choice
from executor.network.dense import RawOutputs, on_device

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
    def every_box(self, raw: RawOutputs, size: Tensor) -> Tuple[Tensor, Tensor]:
        """Decode all of one image, see `HeadAdapter`."""

    @property
    @abc.abstractmethod
    def choice(self) -> Choice:
        """Say which boxes are detections."""

    @abc.abstractmethod
    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' class and objectness logits."""

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find boxes above the model's score threshold that survive NMS, in each of the B images.

        All steps are the whole batch's, on its device; then everything is copied at once.
        """
        image, class_logits, objectness, boxes = (torch.cat(parts) for parts in zip(*self.candidates(raw)))
        numbers, labels, scores = self.scored(class_logits, objectness)
        above = self._best((scores >= self.score_threshold).nonzero()[:, 0], scores, image[numbers])
        numbers, labels, scores = numbers[above], labels[above], scores[above]
        image = image[numbers]
        scales = torch.tensor([prepared.scale * 2 for prepared in images], dtype=boxes.dtype)  # (B, 4)
        scales = on_device(scales, boxes.device)
        boxes = (boxes[numbers].clamp(-_LARGEST, _LARGEST) / scales[image]).float()
        if self.least_side >= 0:
            large = (boxes[:, 2:] - boxes[:, :2] > self.least_side).all(dim=1).nonzero()[:, 0]  # waited for once
            numbers, labels, scores, image, boxes = (part[large] for part in (numbers, labels, scores, image, boxes))
        kept, kept_scores = self._kept(boxes, scores, labels, image if len(images) > 1 else None)
        columns = [boxes[kept], kept_scores[:, None], labels[kept, None], image[kept, None]]
        if self._class_scores:
            rows = numbers[kept]
            columns.append(product(class_logits[rows], objectness[rows][:, None]))
        return self._by_image(torch.cat(columns, dim=1).cpu().numpy(), len(images))

    def _by_image(self, found: np.ndarray, images: int) -> List[Detections]:
        """Part (N, 7 + C) rows, best first: x1 y1 x2 y2, score, label, image, and class scores if they are wanted."""
        results = []
        for number in range(images):
            rows = found[found[:, 6] == number][: self._most if self._most > 0 else None]
            boxes, scores, class_scores = (
                np.ascontiguousarray(part) for part in (rows[:, :4], rows[:, 4], rows[:, 7:])
            )
            labels = rows[:, 5].astype(np.int64)
            results.append(Detections(boxes, scores, labels, class_scores if self._class_scores else None))
        return results

    def _best(self, chosen: Tensor, scores: Tensor, image: Tensor) -> Tensor:
        """Leave of the chosen as many as go into NMS at most, of each image."""
        if not 0 < self.most_before_nms < len(chosen):
            return chosen
        chosen = chosen[scores[chosen].argsort(descending=True)]
        image, order = image[chosen].sort(stable=True)
        place = torch.arange(len(chosen), device=chosen.device) - torch.searchsorted(image, image)
        return chosen[order[place < self.most_before_nms]]

    def _kept(self, boxes: Tensor, scores: Tensor, labels: Tensor, image: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        """Choose the boxes that stay, best first of an image; gives their scores, too, which some kinds of NMS change.

        `image` is None where all are of one.
        """
        if not len(scores):
            return labels, scores
        if self._plain_nms and len(scores) < _SPLIT:
            kept = NMSop.apply(_apart(boxes, labels, image), scores, self._plain_nms, 0, 0, -1)
            return kept, scores[kept]
        if image is None:
            rows, kept = batched_nms(boxes, scores, labels, self._nms)
            return kept, rows[:, -1]
        parts = []
        for here in ((image == number).nonzero()[:, 0] for number in image.unique()):
            kept, kept_scores = self._kept(boxes[here], scores[here], labels[here], None)
            parts.append((here[kept], kept_scores))
        return torch.cat([kept for kept, _ in parts]), torch.cat([kept_scores for _, kept_scores in parts])


def _apart(boxes: Tensor, labels: Tensor, image: Optional[Tensor]) -> Tensor:
    """Move boxes that NMS shall not compare apart, so that they cannot overlap.

    Of one image as `batched_nms` does, which takes longer to find out what to do than to do it. Of several, classes lie
    beside each other and images below: distances, and with them rounding, are no larger than one image's.
    """
    if image is None:
        return boxes + (labels.to(boxes) * (boxes.max() + 1))[:, None]
    return boxes + torch.stack([labels, image], dim=1).repeat(1, 2) * (boxes.max() - boxes.min() + 1)


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
