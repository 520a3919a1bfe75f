"""Gather every image of a validation once and hand it to the evaluation, as a metric of mmengine's."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.detections import Detections
from executor.evaluation.coco import NOTHING_MEASURED, Evaluation, evaluate
from executor.evaluation.results import ImageResult, Truth
from executor.report.pictures import evenly_spaced
from executor.report.training_board import rarest

_PICTURES = 12
_MOST_KEPT = 5_000_000  # predictions, for the page of the model: 200 MB
_MOST_TOLD = 100  # classes with an AP of their own
_NUMBERS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR_100')  # of an Evaluation, told as `bbox_<name>`


@dataclass(frozen=True)
class Validation:
    """One validation, as rank 0 finds it."""

    evaluation: Evaluation
    images: int
    paths: Sequence[str]  # of the images among the matches: all, or evenly spaced ones of very many predictions
    samples: Sequence[Tuple[str, ImageResult]]  # the results of a few images, as (path, result), for pictures

    def bounded(self, predictions: int) -> Validation:
        """Keep the matches of each n-th image alone, where there would be more than so many predictions."""
        details = self.evaluation.details
        step = 1 if details is None else -(-len(details.matches.image) // predictions)
        if details is None or step <= 1:
            return self
        details = dataclasses.replace(details, matches=details.matches.every(step))
        evaluation = dataclasses.replace(self.evaluation, details=details)
        return dataclasses.replace(self, evaluation=evaluation, paths=self.paths[::step])


NOT_VALIDATED = Validation(NOTHING_MEASURED, 0, (), ())


@METRICS.register_module()
class DetectionMetric(BaseMetric):
    """COCO numbers under `coco/bbox_mAP`, `coco/bbox_mAP_50` and so on, and per class `coco/AP_50/<class>`.

    After a validation, rank 0 finds all of it in `validation`.
    """

    default_prefix = 'coco'

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.validation = NOT_VALIDATED

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
        samples = [ordered[position] for position in evenly_spaced(len(ordered), _PICTURES)]
        self.validation = Validation(found, len(ordered), [path for path, _ in ordered], samples).bounded(_MOST_KEPT)
        numbers = {f'bbox_{name}': getattr(found, name) for name in _NUMBERS}
        few = len(found.classes) <= _MOST_TOLD
        told = found.classes if few else [found.classes[k] for k in rarest(found.classes, _MOST_TOLD)]
        per_class = {f'AP_50/{result.name}': result.ap_50 for result in told}
        return {**numbers, 'images': len(ordered), **per_class}


def validation_of(runner: Runner) -> Validation:
    """Return what rank 0 found in the latest validation."""
    return next(one for one in runner.val_evaluator.metrics if isinstance(one, DetectionMetric)).validation
