"""The page of an inference: bands by hand, one whole file, text that stays text."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from executor.detections import Detections, no_detections
from executor.report.board import Board
from executor.report.infer_page import show_inference
from executor.report.infer_report import BANDS, InferReport, band_of
from tests.support.html import Page, check_alone
from tests.unit.mining.found import found

pytestmark = pytest.mark.filterwarnings('ignore:Glyph')  # matplotlib has no font for it, the reader has

HOSTILE = ('<script>alert(1)</script>', '猫', 'x' * 200)


@pytest.fixture
def shown(tmp_path):
    """Write the page; returns its text, and the tags of TensorBoard's pictures."""

    def show(**changes) -> tuple[str, list[str]]:
        classes = len(changes.get('class_names', HOSTILE))
        known = {
            **{'class_names': HOSTILE, 'threshold': 0.25, 'undecodable': 0, 'boxes': np.zeros(classes, np.int64)},
            **{'images': np.zeros(classes, np.int64), 'scores': np.zeros(10, np.int64)},
            **{'in_bands': np.zeros(len(BANDS), np.int64), 'samples': [[]] * len(BANDS)},
        }
        with Board(tmp_path / 'board') as board:
            show_inference(InferReport(**{**known, **changes}), tmp_path / 'infer.html', board)
        tags = EventAccumulator(str(board.path)).Reload().Tags()
        return (tmp_path / 'infer.html').read_text(encoding='utf-8'), tags['images']

    return show


@pytest.mark.parametrize(
    'scores, band', [([], 3), ([0.3], 2), ([0.4], 1), ([0.69, 0.1], 1), ([0.7], 0), ([1.0, 0.2], 0)]
)
def test_the_band_of_an_image_is_that_of_its_surest_box(scores, band):
    assert band_of(found([[0, 0, 1, 1]] * len(scores), scores)) == band


def test_the_page_is_whole_and_says_what_is_known(shown, tmp_path):
    cv2.imwrite(str(tmp_path / '<b>.png'), np.full((300, 400, 3), 100, np.uint8))
    path = str(tmp_path / '<b>.png')
    box = Detections(np.array([[20, 20, 90, 90]], np.float32), np.array([0.5], np.float32), np.array([1]))
    text, tags = shown(
        boxes=np.array([1, 3, 0]),
        images=np.array([1, 2, 0]),
        scores=np.array([0, 0, 0, 0, 0, 4, 0, 0, 0, 0]),
        in_bands=np.array([0, 30, 0, 6]),
        samples=[[], [(path, box), (str(tmp_path / 'gone.png'), box)], [], [(path, no_detections())]],
        undecodable=5,
    )
    check_alone(text)
    texts = Page(text).texts
    assert HOSTILE[0] in texts and '<script>alert' not in text and '<b>' not in text
    rows = re.findall(r'<tr><td>(.*?)</td><td>(\d+)</td><td>(.*?)</td><td>(\d+)</td></tr>', text)
    assert rows == [('猫', '3', '75.0&nbsp;%', '2'), ('&lt;script&gt;alert(1)&lt;/script&gt;', '1', '25.0&nbsp;%', '1')]
    assert 'The surest box has 0.4 or more, and less than 0.7: 30 images, of which 2 are shown' in text
    assert 'No box of 0.25 or more: 6 images' in text and 'Images of high scores' not in text
    assert 'The image could not be read again.' in texts and '<b>.png, 0 boxes' in texts and '<b>.png, 1 box' in texts
    bands = ['inference/middle 1', 'inference/without boxes 1']
    assert tags == [*bands, 'inference/scores', 'inference/classes']


@pytest.mark.parametrize('classes', [1, 1000])
def test_of_nothing_there_is_a_page(shown, classes):
    names = [f'class {number}' for number in range(classes)]
    text, _ = shown(class_names=names)
    check_alone(text)
    assert 'No box is found.' in text
    text, _ = shown(class_names=names, boxes=np.ones(classes, np.int64), images=np.ones(classes, np.int64))
    assert text.count('<tr><td>class ') == classes
