"""Gather every image of a validation once and hand it to the evaluation, as a metric of mmengine's."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.detections import Detections
from executor.evaluation.coco import NOTHING_MEASURED, Evaluation, evaluate
from executor.evaluation.results import ImageResult, Truth
from executor.report.pictures import evenly_spaced

_PICTURES = 12
_NUMBERS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR_100')  # of an Evaluation, told as `bbox_<name>`


@METRICS.register_module()
class DetectionMetric(BaseMetric):
    """COCO numbers under `coco/bbox_mAP`, `coco/bbox_mAP_50` and so on, and per class `coco/AP_50/<class>`.

    After a validation, rank 0 finds the whole `evaluation` here, and in `samples` the results of a few images, as
    (image path, result), for pictures.
    """

    default_prefix = 'coco'

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.evaluation: Evaluation = NOTHING_MEASURED
        self.samples: Tuple[Tuple[str, ImageResult], ...] = ()

    def process(self, data_batch: object, data_samples: Sequence[Dict[str, Any]]) -> None:
        """Keep what is needed of a batch, on the CPU."""
        for sample in data_samples:
            entries, predicted = sample['instances'], sample['pred_instances']
            truth = Truth(
                boxes=np.array([entry['bbox'] for entry in entries], np.float64).reshape(-1, 4),
                labels=np.array([entry['bbox_label'] for entry in entries], np.int64),
                ignore=np.array([entry['ignore_flag'] for entry in entries], bool),
            )
            found = Detections(
                boxes=predicted['bboxes'].cpu().numpy().astype(np.float32),
                scores=predicted['scores'].cpu().numpy().astype(np.float32),
                labels=predicted['labels'].cpu().numpy(),
            )
            self.results.append((sample['img_path'], ImageResult(sample['img_id'], truth, found)))

    def compute_metrics(self, results: List[Tuple[str, ImageResult]]) -> Dict[str, float]:
        """Evaluate all images; a sampler's padding, which evaluates an image twice, counts once."""
        images = {result.image_id: (path, result) for path, result in results}
        ordered = [images[image_id] for image_id in sorted(images)]
        found = evaluate([result for _, result in ordered], self.dataset_meta['classes'], EVALUATE_CONFIG)
        self.evaluation = found
        self.samples = tuple(ordered[position] for position in evenly_spaced(len(ordered), _PICTURES))
        numbers = {f'bbox_{name}': getattr(found, name) for name in _NUMBERS}
        per_class = {f'AP_50/{result.name}': result.ap_50 for result in found.classes}
        return {**numbers, 'images': len(ordered), **per_class}
