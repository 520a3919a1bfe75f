"""Match predictions with true boxes: pycocotools does it, class by class, so that only one class is in its dicts."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from executor.evaluation.boxes import Boxes, Matches

IOU = 0.5  # from which on a prediction is right
_MOST = 100  # predictions of a class in an image
_IMAGES_AT_ONCE = 500  # in dicts
COCO_AREAS = ('all', 'small', 'medium', 'large')


@dataclass(frozen=True)
class Accumulated:
    """What pycocotools makes of the matches of K classes; -1 is undefined.

    Over 10 IoU thresholds (0.50 to 0.95), 101 recalls (0 to 1), areas, and the most predictions an image (1, 10, 100).
    """

    precision: NDArray[np.float64]  # (10, 101, K, areas, 3)
    recall: NDArray[np.float64]  # (10, K, areas, 3)

    @property
    def stats(self) -> Tuple[float, ...]:
        """Sum up by the twelve COCO numbers; the precision must be of all areas."""
        coco = COCOeval(iouType='bbox')
        coco.eval = {'precision': self.precision, 'recall': self.recall}
        with _quiet():
            coco.summarize()
        return tuple(float(value) for value in coco.stats)

    @property
    def curves(self) -> NDArray[np.float64]:
        """Give the precision at each IoU threshold and recall, (10, 101, K): all areas, 100 predictions an image."""
        return self.precision[:, :, :, 0, -1]


def match(boxes: Boxes, areas: Sequence[str] = COCO_AREAS) -> Tuple[Matches, Accumulated]:
    """Match all images of a validation. A true box marked ignore is treated as COCO treats a crowd.

    The matches are over all areas; beside them is what pycocotools accumulates of those named, the first being 'all'.
    """
    count = len(boxes.label)
    matches = Matches(**vars(boxes), matched=np.full(count, -1, np.int32), counted=np.zeros(count, bool))
    predictions, truths = (_by_class(label, boxes.classes) for label in (boxes.label, boxes.true_label))
    shape = (10, 101, boxes.classes, len(areas), 3)
    accumulated = Accumulated(np.full(shape, -1.0), np.full((10, *shape[2:]), -1.0))
    for number in range(boxes.classes):
        if len(predictions[number]) or len(truths[number]):
            coco = _matched_class(matches, _best(boxes, predictions[number]), truths[number], areas)
            accumulated.precision[:, :, number] = coco.eval['precision'][:, :, 0]
            accumulated.recall[:, number] = coco.eval['recall'][:, 0]
    return matches, accumulated


def average_precision(
    label: NDArray[np.int32], score: NDArray[np.float32], right: NDArray[np.bool_], true_boxes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute pycocotools' AP of each class, (K,), from what is right among N predictions; -1 without true boxes.

    `label`, `score` and `right` are (N,), by image where scores are equal; `true_boxes` (K,).
    """
    coco = COCOeval(iouType='bbox')
    classes = len(true_boxes)
    _set_params(coco, ('all',), images=[0], classes=list(range(classes)))
    coco.params.iouThrs, coco.params.maxDets = np.array([IOU]), [len(label)]
    coco._paramsEval = coco.params
    coco.evalImgs = [
        {
            'dtScores': score[of_class],
            'dtMatches': right[None, of_class],
            'dtIgnore': np.zeros((1, len(of_class)), bool),
            'gtIgnore': np.zeros(true, bool),
        }
        for of_class, true in zip(_by_class(label, classes), true_boxes)
    ]
    with _quiet():
        coco.accumulate()
    precision: NDArray[np.float64] = coco.eval['precision'][0, :, :, 0, 0]  # (101, K)
    return precision.mean(axis=0)


def _matched_class(
    matches: Matches, predictions: NDArray[np.int64], truths: NDArray[np.int64], areas: Sequence[str]
) -> COCOeval:
    """Match the boxes of one class, note it in `matches`, and accumulate."""
    images = sorted({*matches.image[predictions].tolist(), *matches.true_image[truths].tolist()})
    parts = []
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        part = images[start : start + _IMAGES_AT_ONCE]
        inside, true_inside = (
            slice(*np.searchsorted(image, [part[0], part[-1] + 1]))
            for image in (matches.image[predictions], matches.true_image[truths])
        )
        coco = _evaluated(matches, part, predictions[inside], truths[true_inside], areas)
        parts.append([coco.evalImgs[n * len(part) : (n + 1) * len(part)] for n in range(len(areas))])
    coco.evalImgs = [one for of_area in zip(*parts) for of_part in of_area for one in of_part]
    coco.params.imgIds, coco._paramsEval = images, coco.params
    with _quiet():
        coco.accumulate()
    at = int(np.argmin(np.abs(coco.params.iouThrs - IOU)))
    for image in coco.evalImgs[: len(images)]:  # the first area
        ids = np.array(image['dtIds'], int) - 1
        matches.matched[ids] = image['dtMatches'][at] - 1
        matches.counted[ids] = ~image['dtIgnore'][at]
    return coco


def _evaluated(
    boxes: Boxes, images: List[int], predictions: NDArray[np.int64], truths: NDArray[np.int64], areas: Sequence[str]
) -> COCOeval:
    """Have the boxes of one class in some images matched; its dicts end here."""
    extra: List[Mapping[str, object]] = [{'iscrowd': int(not counted)} for counted in boxes.true_counted[truths]]
    true = _coco(images, boxes.true_image[truths], boxes.true_box[truths], truths, extra)
    extra = [{'iscrowd': 0, 'score': float(score)} for score in boxes.score[predictions]]
    found = _coco(images, boxes.image[predictions], boxes.box[predictions], predictions, extra)
    with _quiet():
        coco = COCOeval(true, found, 'bbox')
        _set_params(coco, areas, images, classes=[0])
        coco.evaluate()
    evaluated = COCOeval(iouType='bbox')
    evaluated.params, evaluated.evalImgs = coco.params, coco.evalImgs
    return evaluated


def _set_params(coco: COCOeval, areas: Sequence[str], images: List[int], classes: List[int]) -> None:
    usual = dict(zip(coco.params.areaRngLbl, coco.params.areaRng))
    coco.params.areaRngLbl, coco.params.areaRng = list(areas), [usual[area] for area in areas]
    coco.params.imgIds, coco.params.catIds = images, classes


def _coco(
    images: Sequence[int],
    image: NDArray[np.int32],
    boxes: NDArray[np.generic],
    ids: NDArray[np.int64],
    extra: Sequence[Mapping[str, object]],
) -> COCO:
    # Built by hand, because COCO.loadRes cannot take a list without any prediction. An id of 0 would be no match.
    entries = [
        {**_entry(box), **more, 'image_id': in_image, 'category_id': 0, 'id': number + 1}
        for box, in_image, number, more in zip(boxes.tolist(), image.tolist(), ids.tolist(), extra)
    ]
    with _quiet():
        coco = COCO()
        coco.dataset = {'images': [{'id': one} for one in images], 'categories': [{'id': 0}], 'annotations': entries}
        coco.createIndex()
    return coco


def _entry(box: Sequence[float]) -> Dict[str, object]:
    x1, y1, x2, y2 = box  # exact, so that what is computed with them is in float64
    return {'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': (x2 - x1) * (y2 - y1)}


def _best(boxes: Boxes, predictions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out what is beyond the 100 best of each image, as pycocotools would itself: it costs memory."""
    ordered = predictions[np.lexsort([-boxes.score[predictions], boxes.image[predictions]])]
    image = boxes.image[ordered]
    return np.sort(ordered[np.arange(len(ordered)) - np.searchsorted(image, image) < _MOST])


def _by_class(label: NDArray[np.int32], classes: int) -> List[NDArray[np.int64]]:
    """Return the positions of the boxes of each class, ascending."""
    order = np.argsort(label, kind='stable')
    return np.split(order, np.searchsorted(label[order], np.arange(1, classes)))


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    return contextlib.redirect_stdout(io.StringIO())  # pycocotools prints its progress
