"""Evaluate boxes by COCO's numbers, and count what the platform shows beside a model."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Dict, Mapping, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from executor.detections import Detections


@dataclass(frozen=True)
class Truth:
    """The G true boxes of one image."""

    boxes: NDArray[np.float64]  # (G, 4) x1 y1 x2 y2 in pixels of the image, x2 and y2 exclusive
    labels: NDArray[np.int64]  # (G,) class ids from 0
    ignore: NDArray[np.bool_]  # (G,) whether a box is neither to be found nor a mistake when found


NO_TRUTH = Truth(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool))


@dataclass(frozen=True)
class ImageResult:
    """One image: what is there, and what was found."""

    image_id: int
    truth: Truth
    found: Detections


@dataclass(frozen=True)
class ClassResult:
    """The numbers of one class. `ap` is COCO's AP at IoU 0.50:0.95; both AP are 0 for a class without true boxes."""

    name: str
    true_boxes: int
    ap: float
    ap_50: float
    tp: int
    fp: int
    fn: int

    @property
    def recall(self) -> float:
        return self.tp / self.true_boxes if self.true_boxes else 0.0


@dataclass(frozen=True)
class Evaluation:
    """A whole validation. The seven COCO numbers lie in 0..1; one that is undefined (no such box) is 0.

    `mAR` is the mean over the classes with true boxes of the recall at the platform's `evaluate_config`.
    """

    mAP: float
    mAP_50: float
    mAP_75: float
    mAP_s: float
    mAP_m: float
    mAP_l: float
    AR_100: float
    classes: Tuple[ClassResult, ...]

    @property
    def mAR(self) -> float:
        recalls = [c.recall for c in self.classes if c.true_boxes]
        return sum(recalls) / len(recalls) if recalls else 0.0

    @property
    def tp(self) -> int:
        return sum(c.tp for c in self.classes)

    @property
    def fp(self) -> int:
        return sum(c.fp for c in self.classes)

    @property
    def fn(self) -> int:
        return sum(c.fn for c in self.classes)


NOTHING_MEASURED = Evaluation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, classes=())


def evaluate(
    results: Sequence[ImageResult], class_names: Sequence[str], evaluate_config: Mapping[str, float]
) -> Evaluation:
    """Evaluate with pycocotools; tp, fp, fn count its matches at `iou_thr`, predictions of `conf_thr` and above.

    A true box marked ignore is treated as COCO treats a crowd.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco = COCOeval(_true_boxes(results, class_names), _predictions(results, class_names), 'bbox')
        coco.evaluate()
        coco.accumulate()
        coco.summarize()
    # COCO's -1 means undefined.
    ap, ap_50, ap_75, ap_s, ap_m, ap_l, _, _, ar_100, *_ = (max(0.0, float(value)) for value in coco.stats)
    classes = _class_results(coco, class_names, evaluate_config)
    return Evaluation(ap, ap_50, ap_75, ap_s, ap_m, ap_l, ar_100, classes)


def _class_results(
    coco: COCOeval, class_names: Sequence[str], evaluate_config: Mapping[str, float]
) -> Tuple[ClassResult, ...]:
    # precision (T, R, K, A, M): IoU thresholds, recalls, classes, areas (0: all), most detections an image (-1: 100)
    precision = coco.eval['precision'][:, :, :, 0, -1]  # (T, R, K)
    at_50, matched_at = (int(np.argmin(np.abs(coco.params.iouThrs - iou))) for iou in (0.5, evaluate_config['iou_thr']))
    counts = _counts(coco, matched_at, evaluate_config['conf_thr'])
    results = []
    for label, name in enumerate(class_names):
        true, tp, fp = counts[label]
        ap, ap_50 = _mean_defined(precision[:, :, label]), _mean_defined(precision[at_50, :, label])
        results.append(ClassResult(name=name, true_boxes=true, ap=ap, ap_50=ap_50, tp=tp, fp=fp, fn=true - tp))
    return tuple(results)


def _counts(coco: COCOeval, threshold: int, conf_thr: float) -> Dict[int, Tuple[int, int, int]]:
    """Count (true boxes, tp, fp) by label, from the matches at one IoU threshold over all areas."""
    counts = dict.fromkeys(coco.params.catIds, (0, 0, 0))
    all_areas = list(coco.params.areaRng[0])
    for image in coco.evalImgs:
        if image is None or list(image['aRng']) != all_areas:
            continue
        counted = (np.asarray(image['dtScores']) >= conf_thr) & ~image['dtIgnore'][threshold].astype(bool)  # (N,)
        matched = image['dtMatches'][threshold] > 0  # (N,)
        true, tp, fp = counts[image['category_id']]
        counts[image['category_id']] = (
            true + int((np.asarray(image['gtIgnore']) == 0).sum()),
            tp + int((counted & matched).sum()),
            fp + int((counted & ~matched).sum()),
        )
    return counts


def _mean_defined(precision: NDArray[np.float64]) -> float:
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else 0.0


def _true_boxes(results: Sequence[ImageResult], class_names: Sequence[str]) -> COCO:
    entries = [
        {**_entry(result.image_id, box, label), 'iscrowd': int(ignore)}
        for result in results
        for box, label, ignore in zip(result.truth.boxes, result.truth.labels, result.truth.ignore)
    ]
    return _coco(results, class_names, entries)


def _predictions(results: Sequence[ImageResult], class_names: Sequence[str]) -> COCO:
    entries = [
        {**_entry(result.image_id, box, label), 'iscrowd': 0, 'score': float(score)}
        for result in results
        for box, label, score in zip(result.found.boxes, result.found.labels, result.found.scores)
    ]
    return _coco(results, class_names, entries)


def _entry(image_id: int, box: NDArray[np.floating], label: int) -> Dict[str, object]:
    x1, y1, x2, y2 = (float(value) for value in box)  # exact, so that what is computed with them is in float64
    area = (x2 - x1) * (y2 - y1)
    return {'image_id': image_id, 'category_id': int(label), 'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': area}


def _coco(results: Sequence[ImageResult], class_names: Sequence[str], entries: Sequence[Dict[str, object]]) -> COCO:
    # Built by hand, because COCO.loadRes cannot take a list without any prediction.
    coco = COCO()
    coco.dataset = {
        'images': [{'id': result.image_id} for result in results],
        'categories': [{'id': label, 'name': name} for label, name in enumerate(class_names)],
        'annotations': [{**entry, 'id': number} for number, entry in enumerate(entries, start=1)],
    }
    coco.createIndex()
    return coco
