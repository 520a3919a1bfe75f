"""Build YOLOv5's head: one convolution a level, its boxes by anchors, and what it learns from."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmdet.models.dense_heads import YOLOV3Head
from mmdet.models.task_modules.coders.base_bbox_coder import BaseBBoxCoder
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from executor.images.prepare import Prepared
from executor.models.anchored import AnchoredHead
from executor.models.yolov5.ciou import ciou
from executor.models.yolov5.targets import Targets, TrueBoxes, least_of_each, targets_of

_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)
_SIDE = 640  # of the images that the losses were weighed for
_OBJECTS = 8  # on such an image, in what a new head expects of each level
_CLASSES = 80  # that the losses were weighed for


@TASK_UTILS.register_module()
class YOLOV5BBoxCoder(BaseBBoxCoder):
    """A centre up to a cell away from that of its own, and up to four times the anchor's sides."""

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor) -> Tensor:
        """Not needed: boxes are compared as such."""
        raise NotImplementedError

    def decode(self, bboxes: Tensor, pred_bboxes: Tensor, stride: Tensor) -> Tensor:
        """Give x1 y1 x2 y2 (..., 4) of anchors and of centres after the sigmoid and sides before it."""
        middle = (bboxes[..., :2] + bboxes[..., 2:]) / 2
        centre = middle + (pred_bboxes[..., :2] * 2 - 1) * stride
        half = (bboxes[..., 2:] - bboxes[..., :2]) / 2 * (pred_bboxes[..., 2:4].sigmoid() * 2) ** 2
        return torch.cat([centre - half, centre + half], dim=-1)


@MODELS.register_module()
class YOLOV5Head(YOLOV3Head):
    """The head, and the loss of its maps.

    A level's loss of boxes is 1 - CIoU, and what it should say of objects is the CIoU of what it found.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        featmap_strides: Sequence[int],
        largest_ratio: float,
        balance: Sequence[float],
        box_weight: float,
        objectness_weight: float,
        class_weight: float,
        **others: Any,
    ) -> None:
        """Take the settings of a training beside those of mmdet's YOLOV3Head.

        Args:
            in_channels, featmap_strides: of each level.
            largest_ratio: of the sides of a box and an anchor that learns from it, either way round.
            balance: weights of the levels in the loss of objectness.
            box_weight, objectness_weight, class_weight: of the losses, the last for 80 classes.
            others: the rest of what mmdet's YOLOV3Head takes.
        """
        super().__init__(in_channels=in_channels, out_channels=in_channels, featmap_strides=featmap_strides, **others)
        self.largest_ratio = largest_ratio
        self.balance = balance
        self.box_weight, self.objectness_weight = box_weight, objectness_weight
        self.class_weight = class_weight * self.num_classes / _CLASSES  # as much for each class

    def _init_layers(self) -> None:
        outputs = self.num_base_priors * self.num_attrib
        self.convs_pred = nn.ModuleList(nn.Conv2d(channels, outputs, 1) for channels in self.in_channels)

    def init_weights(self) -> None:
        """Let a new head expect few objects, and no class more than another."""
        for convolution, stride in zip(self.convs_pred, self.featmap_strides):
            convolution.reset_parameters()
            bias = convolution.bias.data.view(self.num_base_priors, -1)
            bias[:, 4] += math.log(_OBJECTS / (_SIDE / stride) ** 2)
            bias[:, 5:] -= math.log(self.num_classes)

    def forward(self, x: Tuple[Tensor, ...]) -> Tuple[Tuple[Tensor, ...]]:
        """Give a map a level, (B, A (5 + C), h, w)."""
        return (tuple(convolution(level) for convolution, level in zip(self.convs_pred, x)),)

    def predict_by_feat(
        self,
        pred_maps: Sequence[Tensor],
        batch_img_metas: Sequence[Dict[str, Any]],
        cfg: object = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> List[InstanceData]:
        """Find boxes as detection does: mmdet would choose by class alone, and put nearly all places into NMS."""
        scales = [tuple(meta['scale_factor'])[:2] if rescale else (1.0, 1.0) for meta in batch_img_metas]
        images = [Prepared(_NO_PIXELS, meta['ori_shape'][1::-1], scale) for meta, scale in zip(batch_img_metas, scales)]
        found = AnchoredHead(self, class_scores=False).detections([pred_maps], images)
        parts = [
            (torch.from_numpy(one.boxes), torch.from_numpy(one.scores), torch.from_numpy(one.labels)) for one in found
        ]
        return [InstanceData(bboxes=boxes, scores=scores, labels=labels) for boxes, scores, labels in parts]

    def loss_by_feat(
        self,
        pred_maps: Sequence[Tensor],
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[Dict[str, Any]],
        batch_gt_instances_ignore: Optional[Sequence[InstanceData]] = None,
    ) -> Dict[str, Tensor]:
        """Compute the losses of boxes, objectness and classes, each the sum of the levels'."""
        truth = TrueBoxes(
            torch.cat([one.labels.new_full((len(one.labels),), n) for n, one in enumerate(batch_gt_instances)]),
            torch.cat([one.labels for one in batch_gt_instances]),
            torch.cat([one.bboxes for one in batch_gt_instances]),
        )
        losses = [self._loss_of_level(*level, truth) for level in zip(range(self.num_levels), pred_maps)]
        boxes, objectness, classes = (torch.stack(parts).sum() for parts in zip(*losses))
        return {
            'loss_bbox': boxes * self.box_weight,
            'loss_obj': objectness * self.objectness_weight,
            'loss_cls': classes * self.class_weight,
        }

    def _loss_of_level(self, level: int, pred_map: Tensor, truth: TrueBoxes) -> Tuple[Tensor, Tensor, Tensor]:
        batch, _, height, width = pred_map.shape
        stride = self.featmap_strides[level]
        priors = self.prior_generator.base_anchors[level].to(pred_map.device)
        maps = pred_map.float().view(batch, len(priors), -1, height, width)
        targets = targets_of(truth, priors[:, 2:] - priors[:, :2], stride, (height, width), self.largest_ratio)
        found = maps.permute(0, 1, 3, 4, 2)[targets.image, targets.anchor, targets.y, targets.x]  # (K, 5 + C)
        box_losses = self._box_losses(found, priors, stride, targets)
        wanted = torch.zeros_like(maps[:, :, 4])
        image, anchor, y, x = places = targets.image, targets.anchor, targets.y, targets.x
        # Where two boxes want the same place, it shall say the better. Each is written once: of several writes to one
        # place a GPU does not say which counts.
        best = least_of_each(((image * len(priors) + anchor) * height + y) * width + x, box_losses.detach())
        wanted[tuple(part[best] for part in places)] = (1 - box_losses.detach()[best]).clamp(min=0)
        objectness = binary_cross_entropy_with_logits(maps[:, :, 4], wanted, reduction='sum')
        cells = batch * len(priors) * (_SIDE / stride) ** 2
        classes = binary_cross_entropy_with_logits(
            found[:, 5:], nn.functional.one_hot(targets.label, self.num_classes).to(found), reduction='sum'
        )
        count = max(1, len(found))
        return box_losses.sum() / count, objectness * self.balance[level] / cells, classes / (count * self.num_classes)

    def _box_losses(self, found: Tensor, priors: Tensor, stride: int, targets: Targets) -> Tensor:
        """Compute 1 - CIoU of each of K boxes found."""
        anchors = priors[targets.anchor] + torch.stack([targets.x, targets.y], dim=1).repeat(1, 2) * stride
        centred = torch.cat([found[:, :2].sigmoid(), found[:, 2:4]], dim=1)
        boxes = self.bbox_coder.decode(anchors, centred, stride)
        return 1 - ciou(boxes, targets.boxes)
