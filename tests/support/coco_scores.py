"""COCO's AP of an infer-result.json, by pycocotools itself."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(infer_result: Path, instances: Path) -> tuple[float, float]:
    """(AP, AP50) of all images of a COCO ground truth, matched by file name and class name."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(instances))
        image_ids = {Path(image['file_name']).name: image['id'] for image in truth.dataset['images']}
        category_ids = {category['name']: category['id'] for category in truth.dataset['categories']}
        found = []
        for name, entry in json.loads(infer_result.read_text(encoding='utf-8'))['detection'].items():
            for box in entry['boxes']:
                found.append(
                    {
                        'image_id': image_ids[name],
                        'category_id': category_ids[box['class_name']],
                        'bbox': [box['box'][side] for side in 'xywh'],
                        'score': box['score'],
                    }
                )
        evaluation = COCOeval(truth, truth.loadRes(found), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])
