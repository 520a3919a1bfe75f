"""The validation metric: gathers every image once and hands it to the evaluation."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.evaluation.coco import Evaluation, ImageResult, evaluate
from executor.report.pictures import evenly_spaced

_PICTURES = 12


@METRICS.register_module()
class DetectionMetric(BaseMetric):
    """COCO numbers under `coco/bbox_mAP`, `coco/bbox_mAP_50` and so on, and per class `coco/AP_50/<class>`.

    After a validation, rank 0 finds the whole `evaluation` here, and in `samples` the results of a few images, as
    (image path, result), for pictures.
    """

    default_prefix = 'coco'

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evaluation: Optional[Evaluation] = None
        self.samples: Tuple[Tuple[str, ImageResult], ...] = ()

    def process(self, data_batch: Any, data_samples: Sequence[Dict[str, Any]]) -> None:
        """Keep what is needed of a batch, on the CPU."""
        for sample in data_samples:
            predicted = sample['pred_instances']
            true = sample['instances']
            result = ImageResult(
                image_id=sample['img_id'],
                true_boxes=np.array([entry['bbox'] for entry in true], np.float64).reshape(-1, 4),
                true_labels=np.array([entry['bbox_label'] for entry in true], np.int64),
                true_ignore=np.array([entry['ignore_flag'] for entry in true], bool),
                boxes=predicted['bboxes'].cpu().numpy().astype(np.float64),
                scores=predicted['scores'].cpu().numpy().astype(np.float64),
                labels=predicted['labels'].cpu().numpy(),
            )
            self.results.append((sample['img_path'], result))

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
