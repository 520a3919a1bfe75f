"""The program of docs/onnx.md, as it stands there: from the two files of a stage to what infer-result.json says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from desk.coco_classes import COCO_CLASSES
from executor.contract.params import InferParams
from executor.detector.export import export_detector
from executor.detector.model import load_model
from tests.conftest import REPOSITORY
from tests.support.random_model import NANO
from tests.support.start import detections_of, run
from tests.tasks.test_detection import write_task

pytestmark = pytest.mark.slow

YOLOV5 = 'configs/yolov5/yolov5n_8x8_300e_coco.py'


def boxes_of(entry):
    return np.array([[box['box'][side] for side in 'xywh'] for box in entry['boxes']]).reshape(-1, 4)


@pytest.mark.shared
@pytest.mark.parametrize(
    'weights, config_file',
    [('yolox_nano_coco_megvii.pth', NANO), ('yolov5n_coco_v6.pt', YOLOV5)],
    ids=['yolox', 'yolov5'],
)
def test_the_program_finds_what_inference_finds(tmp_path, shared_data, weights, config_file):
    (tmp_path / 'images').mkdir()
    source = sorted((shared_data / 'coco80/assets').rglob('*.jpg'))[:12]
    files = [Path(shutil.copy(str(file), str(tmp_path / 'images'))) for file in source]
    package = (shared_data.parent / 'weights' / weights,)
    exported = export_detector(
        load_model(InferParams(COCO_CLASSES, (), package, config_file=config_file)), COCO_CLASSES
    )
    (tmp_path / 'a.onnx').write_bytes(exported.graph)
    (tmp_path / 'a.json').write_text(json.dumps(exported.description), encoding='utf-8')
    values = {'class_names': list(COCO_CLASSES), 'config_file': config_file, 'conf_threshold': 0.2, 'cfg_options': ''}
    env_file = write_task(tmp_path / 'task', package[0], files, **values)
    run(env_file)
    (program,) = re.findall(
        r'```python\n(.*?)```', (REPOSITORY / 'docs/onnx.md').read_text(encoding='utf-8'), re.DOTALL
    )
    (tmp_path / 'detect.py').write_text(program, encoding='utf-8')
    command = [sys.executable, 'detect.py', 'a.onnx', '0.2', *map(str, files)]
    found = json.loads(subprocess.run(command, cwd=str(tmp_path), stdout=subprocess.PIPE, check=True).stdout)[
        'detection'
    ]
    expected = detections_of(env_file)
    assert sum(len(entry['boxes']) for entry in expected.values()) > 60
    for file in files:
        ours, theirs = found[str(file)], expected[file.name]
        assert [box['class_name'] for box in ours['boxes']] == [box['class_name'] for box in theirs['boxes']]
        np.testing.assert_allclose(boxes_of(ours), boxes_of(theirs), atol=1)
        scores = ([box['score'] for box in entry['boxes']] for entry in (ours, theirs))
        np.testing.assert_allclose(*scores, atol=1e-4)
