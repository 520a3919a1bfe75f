"""The numbers of report.json on real photographs and blood cells, against stock pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from demo.shapes import CONFIG_FILE
from desk.__main__ import main
from desk.coco_classes import COCO_CLASSES
from desk.models import find_model
from desk.progress import Bar
from desk.validate import open_task, validate
from executor.evaluation.coco import COCO_NAMES
from tests.support import exports

pytestmark = [pytest.mark.slow, pytest.mark.shared]


def stock(task: Path, classes: int, matches) -> COCOeval:
    """pycocotools, on boxes of the text files: corners are the last pixels of a box, which ends with its image."""
    true = []
    lines = (task / 'in/val-index.tsv').read_text(encoding='utf-8').splitlines()
    for image, line in enumerate(lines):
        path, annotation = line.split('\t')
        height, width = cv2.imread(path).shape[:2]
        for row in Path(annotation).read_text(encoding='utf-8').splitlines():
            label, x1, y1, x2, y2 = map(float, row.split(',')[:5])
            true.append(entry(image, label, (max(x1, 0), max(y1, 0), min(x2 + 1, width), min(y2 + 1, height))))
    found = [
        {**entry(image, label, box.astype(np.float64)), 'score': float(score)}
        for image, label, box, score in zip(matches.image, matches.label, matches.box, matches.score)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco(true, len(lines), classes), coco(found, len(lines), classes), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def entry(image, label, corners) -> dict:
    x1, y1, x2, y2 = map(float, corners)
    box = {'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': (x2 - x1) * (y2 - y1), 'iscrowd': 0}
    return {'image_id': int(image), 'category_id': int(label), **box}


def coco(entries, images: int, classes: int) -> COCO:
    made = COCO()
    made.dataset = {
        'images': [{'id': number} for number in range(images)],
        'categories': [{'id': label} for label in range(classes)],
        'annotations': [{**one, 'id': number + 1} for number, one in enumerate(entries)],
    }
    made.createIndex()
    return made


# COCO's names; of the cells, what the model calls fruit and doughnuts.
CELLS = {'apple': 'rbc', 'donut': 'wbc', 'orange': 'platelets'}


@pytest.mark.parametrize('name, new_names', [('coco80', {}), ('bccd', CELLS)], ids=['coco80', 'bccd'])
def test_numbers_are_those_of_pycocotools(tmp_path, shared_data, monkeypatch, capsys, name, new_names):
    """Of Megvii's YOLOX nano."""
    weights = shared_data.parent / 'weights/yolox_nano_coco_megvii.pth'
    exports.write_task(tmp_path, shared_data / name / 'training-ark/in', workers_per_gpu=0)
    names = tuple(new_names.get(known, known) for known in COCO_CLASSES)
    monkeypatch.chdir(tmp_path)
    command = ['evaluate', str(weights), '--on', '.', '--set', f'config_file={CONFIG_FILE}', '--out', 'evaluated']
    assert main([*command, '--classes', ','.join(names)]) == 0, capsys.readouterr()
    numbers = json.loads((tmp_path / 'evaluated/report.json').read_text(encoding='utf-8'))
    data = open_task(tmp_path)
    validation = validate(find_model(weights, {'config_file': CONFIG_FILE}, names), data, Bar()).validation
    expected = stock(tmp_path, len(data.class_names), validation.evaluation.details.matches)
    twelve = {key: None if value < 0 else value for key, value in zip(COCO_NAMES, expected.stats.tolist())}
    assert numbers['coco'] == pytest.approx(twelve, abs=1e-4) and numbers['coco']['AR_100'] > 0
    precision = expected.eval['precision'][:, :, :, 0, 2]  # (IoU, recall, class) of all sizes, 100 boxes
    for label, row in enumerate(numbers['classes']):
        ours, theirs = [row['ap'], row['ap_50']], [precision[..., label].mean(), precision[0, :, label].mean()]
        assert ours == (pytest.approx(theirs, abs=1e-4) if row['true_boxes'] else [None, None])
    true = [int(one['category_id']) for one in expected.cocoGt.dataset['annotations']]
    assert [row['true_boxes'] for row in numbers['classes']] == np.bincount(
        true, minlength=len(data.class_names)
    ).tolist()
    lost = numbers['lost_in_nms']
    assert lost['images'] == 20 <= lost['images_with_missed'] and lost['boxes'] <= lost['missed']
    assert all(numbers['speed'][step] > 0 for step in ('preparation_ms', 'network_ms', 'postprocessing_ms', 'gflops'))
