"""Make boxes, and maps for mining, of what a dense head puts out: any head's by mmdet's own post-processing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Protocol, Sequence

import numpy as np
import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from mmengine.structures import InstanceData

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared
from executor.network.dense import RawOutputs


class HeadAdapter(Protocol):
    """The post-processing of a dense head's outputs."""

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find the boxes of each of the B images above the head's score threshold, after NMS."""
        ...

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' logits by anchor, of all B images."""
        ...


def is_dense(model: torch.nn.Module, with_class_maps: bool) -> bool:
    """Tell whether the model's boxes follow from its head maps, image by image, by `predict_by_feat` alone.

    With `with_class_maps`, also whether its first outputs are class maps: of each level, `num_classes` (and background)
    for every anchor.
    """
    head = getattr(model, 'bbox_head', None)
    of_class_maps = ('cls_out_channels', 'use_sigmoid_cls', 'num_classes') if with_class_maps else ()
    return (
        isinstance(model, SingleStageDetector)
        and isinstance(head, BaseDenseHead)
        and type(model).predict is SingleStageDetector.predict
        and type(model)._forward is SingleStageDetector._forward
        and type(head).predict is BaseDenseHead.predict
        and all(hasattr(head, name) for name in of_class_maps)
    )


@dataclass(frozen=True)
class DenseHead:
    """Post-processing of a dense detector's outputs by mmdet."""

    head: torch.nn.Module  # the detector's bbox_head
    class_scores: bool  # whether detections carry a score for each class, see `spread_scores`

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find boxes in each of the B images, by mmdet's `predict_by_feat`."""
        outputs = [[level.float().contiguous() for level in group] for group in raw]
        with torch.inference_mode():
            found = self.head.predict_by_feat(*outputs, batch_img_metas=metas(images), rescale=True)
        return [detections_of(instances, self.head.num_classes, self.class_scores) for instances in found]

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' class logits by anchor; the background of a softmax head is left out."""
        return [_head_map(level, self.head.num_classes, self.head.use_sigmoid_cls) for level in raw[0]]


def _head_map(level: torch.Tensor, classes: int, sigmoid: bool) -> HeadMap:
    batch, channels, height, width = level.shape
    outputs = classes if sigmoid else classes + 1
    logits = level.reshape(batch, channels // outputs, outputs, height, width)
    if not sigmoid:
        # The logit of a class's softmax: its score against all others together.
        others = [logits[:, :, [k for k in range(outputs) if k != c]].logsumexp(2) for c in range(classes)]
        logits = logits[:, :, :classes] - torch.stack(others, 2)
    return HeadMap(logits, None)


def metas(images: Sequence[Prepared]) -> List[Dict[str, object]]:
    """Describe each image of a batch of one shape as mmdet's heads want it."""
    shapes = ('img_shape', 'pad_shape', 'batch_input_shape')
    return [
        {
            **dict.fromkeys(shapes, prepared.pixels.shape[:2]),
            'ori_shape': (prepared.size[1], prepared.size[0]),
            'scale_factor': prepared.scale,
            **prepared.meta,
        }
        for prepared in images
    ]


def detections_of(instances: InstanceData, classes: int, class_scores: bool) -> Detections:
    """Convert mmdet's InstanceData to Detections, by descending score."""
    order = instances.scores.argsort(descending=True)
    parts = (instances.bboxes, instances.scores, instances.labels)
    boxes, scores, labels = (part[order].cpu().float().numpy() for part in parts)
    labels = labels.astype('int64')
    return Detections(boxes, scores, labels, spread_scores(scores, labels, classes) if class_scores else None)


def spread_scores(scores: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Make (N, C) class scores for boxes of one known class each: the rest is spread evenly over the others."""
    rows = (1 - scores[:, None]).repeat(classes, axis=1) / max(1, classes - 1)
    rows[range(len(labels)), labels] = scores
    return rows
