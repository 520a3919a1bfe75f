"""Gather every image of a validation once and hand it to the evaluation, as a metric of mmengine's."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.detections import Detections
from executor.evaluation.coco import NOTHING_MEASURED, Evaluation, ImageResult, Truth, evaluate
from executor.report.pictures import evenly_spaced

_PICTURES = 12


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
        classes = self.dataset_meta['classes']
        found = evaluate([result for _, result in ordered], classes, EVALUATE_CONFIG)
        self.evaluation = found
        self.samples = tuple(ordered[position] for position in evenly_spaced(len(ordered), _PICTURES))
        numbers = {
            'bbox_mAP': found.mAP,
            'bbox_mAP_50': found.mAP_50,
            'bbox_mAP_75': found.mAP_75,
            'bbox_mAP_s': found.mAP_s,
            'bbox_mAP_m': found.mAP_m,
            'bbox_mAP_l': found.mAP_l,
            'bbox_AR_100': found.AR_100,
            'images': len(ordered),
        }
        numbers.update({f'AP_50/{result.name}': result.ap_50 for result in found.classes})
        return numbers
