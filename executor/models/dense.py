"""Make boxes, and maps for mining, of what a dense head puts out: any head's by mmdet's own post-processing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

import numpy as np
import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from mmengine.structures import InstanceData
from torch import Tensor

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared
from executor.network.dense import RawOutputs

_STEPS = ('predict_by_feat', '_predict_by_feat_single', '_bbox_post_process')  # from head maps to boxes


class OwnWay(ValueError):
    """A head makes its boxes or scores in a way of its own."""


class HeadAdapter(Protocol):
    """The post-processing of a dense head's outputs."""

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find the boxes of each of the B images above the head's score threshold, after NMS."""
        ...

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' logits by anchor, of all B images."""
        ...

    def every_box(self, raw: RawOutputs, size: Tensor) -> Tuple[Tensor, Tensor]:
        """Decode all of one image: (N, 4) boxes in the network's pixels, and (N, C) scores.

        An exporter can follow it. `size`: (2,) height and width of the image as it came to the network.

        Raises:
            OwnWay: the head's boxes come about in a way that is not known.
        """
        ...

    @property
    def choice(self) -> Choice:
        """Say which of them are detections."""
        ...


@dataclass(frozen=True)
class Choice:
    """What becomes a detection, of all boxes of an image with their scores."""

    score_threshold: float
    one_class: bool  # whether a box counts for its best class alone, else for each that scores enough
    most_before_nms: int  # boxes with a class each, the best of an image or of each level; -1 for all
    least_side: float  # in pixels of the original image, which both sides must exceed; -1 where any may stay
    nms: Optional[Mapping[str, object]]  # mmdet's settings; None where there is none
    most: int  # of an image; -1 for all

    @classmethod
    def of(cls, head: torch.nn.Module, one_class: bool) -> Choice:
        """Read the settings of mmdet's head."""
        chosen = head.test_cfg
        nms = chosen.get('nms')
        return cls(
            score_threshold=float(chosen.get('score_thr', 0.0)),
            one_class=one_class,
            most_before_nms=int(chosen.get('nms_pre', -1)),
            least_side=float(chosen.get('min_bbox_size', -1)),
            nms=None if nms is None else dict(nms),
            most=int(chosen.get('max_per_img', -1)),
        )


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
        return detections_of(found, self.head.num_classes, self.class_scores)

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' class logits by anchor; the background of a softmax head is left out."""
        return [_head_map(level, self.head.num_classes, self.head.use_sigmoid_cls) for level in raw[0]]

    def every_box(self, raw: RawOutputs, size: Tensor) -> Tuple[Tensor, Tensor]:
        """Decode as mmdet's `predict_by_feat` does, where the head has not its own, nor a loss that activates."""
        head = self.head
        own = [name for name in _STEPS if getattr(type(head), name) is not getattr(BaseDenseHead, name)]
        coder: Any = getattr(head, 'bbox_coder', None)
        if own or type(coder) not in (DeltaXYWHBBoxCoder, DistancePointBBoxCoder) or len(raw) > 3:
            raise OwnWay(f'{type(head).__name__} makes its boxes in a way of its own')
        if getattr(getattr(head, 'loss_cls', None), 'custom_cls_channels', False):
            raise OwnWay(f'{type(head).__name__} makes its scores in a way of its own')
        sizes = [level.shape[-2:] for level in raw[0]]
        priors = torch.cat(head.prior_generator.grid_priors(sizes, device=raw[0][0].device))
        logits, deltas, *factors = (
            torch.cat([_by_place(level, width) for level in group])
            for group, width in zip(raw, (head.cls_out_channels, coder.encode_size, 1))
        )
        scores = logits.sigmoid() if head.use_sigmoid_cls else logits.softmax(-1)[:, :-1]
        for factor in factors:  # such as FCOS's centerness
            scores = scores * factor.sigmoid()
        boxes = coder.decode(priors, deltas)
        if coder.clip_border:
            boxes = torch.min(boxes.clamp(min=0), size[[1, 0, 1, 0]].to(boxes))  # `minimum`: not exported by torch 1.10
        return boxes, scores

    @property
    def choice(self) -> Choice:
        return Choice.of(self.head, one_class=False)


def _by_place(level: Tensor, width: int) -> Tensor:
    """Lay (1, A W, h, w) out by place and anchor, (h w A, W)."""
    return level[0].permute(1, 2, 0).reshape(-1, width)


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


def detections_of(found: Sequence[InstanceData], classes: int, class_scores: bool) -> List[Detections]:
    """Convert mmdet's InstanceData of a batch to Detections, by descending score; all are copied from a GPU at once."""
    if not found:
        return []
    rows = torch.cat([_rows(instances) for instances in found]).cpu().numpy()
    results = []
    for part in np.split(rows, np.cumsum([len(instances.scores) for instances in found])[:-1]):
        boxes, scores, labels = part[:, :4].copy(), part[:, 4].copy(), part[:, 5].astype(np.int64)
        spread = spread_scores(scores, labels, classes) if class_scores else None
        results.append(Detections(boxes, scores, labels, spread))
    return results


def _rows(instances: InstanceData) -> Tensor:
    """Lay out (N, 6) x1 y1 x2 y2, score, label, by descending score."""
    order = instances.scores.argsort(descending=True)
    columns = (instances.bboxes, instances.scores[:, None], instances.labels[:, None])
    return torch.cat([column[order].float() for column in columns], dim=1)


def spread_scores(scores: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Make (N, C) class scores for boxes of one known class each: the rest is spread evenly over the others."""
    rows = (1 - scores[:, None]).repeat(classes, axis=1) / max(1, classes - 1)
    rows[range(len(labels)), labels] = scores
    return rows
