"""Adapt any dense one-stage detector: mmdet's own post-processing after our network."""

from __future__ import annotations

from typing import Dict, List, Sequence

import numpy as np
import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from mmengine.structures import InstanceData

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared
from executor.models.adapter import RawOutputs


def is_dense(model: torch.nn.Module) -> bool:
    """Tell whether the model's boxes follow from its head maps, image by image, by `predict_by_feat` alone."""
    head = getattr(model, 'bbox_head', None)
    return (
        isinstance(model, SingleStageDetector)
        and isinstance(head, BaseDenseHead)
        and type(model).predict is SingleStageDetector.predict
        and type(model)._forward is SingleStageDetector._forward
        and type(head).predict is BaseDenseHead.predict
    )


class DenseHead:
    """Post-processing of a dense detector's outputs by mmdet.

    Args:
        head: the detector's bbox_head.
        class_scores: whether detections carry a score for each class, see `spread_scores`.
    """

    def __init__(self, head: torch.nn.Module, class_scores: bool) -> None:
        self._head = head
        self._class_scores = class_scores

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find boxes in each of the B images, by mmdet's `predict_by_feat`."""
        outputs = [[level.float().contiguous() for level in group] for group in raw.nested()]
        with torch.inference_mode():
            found = self._head.predict_by_feat(*outputs, batch_img_metas=metas(images), rescale=True)
        return [detections_of(instances, self._head.num_classes, self._class_scores) for instances in found]

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' class logits by anchor; the background of a softmax head is left out."""
        head = self._head
        return [_head_map(level, head.num_classes, head.use_sigmoid_cls) for level in raw.nested()[0]]


def has_head_maps(head: torch.nn.Module) -> bool:
    """Tell whether the head's first output is a class map a level, with `num_classes` (and background) per anchor."""
    return all(hasattr(head, name) for name in ('cls_out_channels', 'use_sigmoid_cls', 'num_classes'))


def _head_map(level: torch.Tensor, classes: int, sigmoid: bool) -> HeadMap:
    batch, channels, height, width = level.shape
    outputs = classes if sigmoid else classes + 1
    logits = level.reshape(batch, channels // outputs, outputs, height, width)
    if not sigmoid:
        # The logit of a class's softmax: its score against all others together.
        others = torch.stack(
            [logits[:, :, [k for k in range(outputs) if k != c]].logsumexp(2) for c in range(classes)], 2
        )
        logits = logits[:, :, :classes] - others
    return HeadMap(logits, None)


def metas(images: Sequence[Prepared]) -> List[Dict[str, object]]:
    """Describe each image of a batch of one shape as mmdet's heads want it."""
    return [
        {
            'ori_shape': (prepared.size[1], prepared.size[0]),
            'img_shape': prepared.pixels.shape[:2],
            'pad_shape': prepared.pixels.shape[:2],
            'batch_input_shape': prepared.pixels.shape[:2],
            'scale_factor': prepared.scale,
            **prepared.meta,
        }
        for prepared in images
    ]


def detections_of(instances: InstanceData, classes: int, class_scores: bool) -> Detections:
    """Convert mmdet's InstanceData to Detections, by descending score."""
    order = instances.scores.argsort(descending=True)
    boxes, scores, labels = (
        getattr(instances, name)[order].cpu().float().numpy() for name in ('bboxes', 'scores', 'labels')
    )
    labels = labels.astype('int64')
    return Detections(boxes, scores, labels, spread_scores(scores, labels, classes) if class_scores else None)


def spread_scores(scores: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Make (N, C) class scores for boxes of one known class each: the rest is spread evenly over the others."""
    rows = (1 - scores[:, None]).repeat(classes, axis=1) / max(1, classes - 1)
    rows[range(len(labels)), labels] = scores
    return rows
