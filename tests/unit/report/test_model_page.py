"""The page of a model: every number in its file, one valid HTML file that asks for nothing, text that stays text."""

from __future__ import annotations

import base64
import json
import re
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.evaluation.analysis import analyse
from executor.evaluation.coco import evaluate
from executor.evaluation.lost import LostBoxes
from executor.report.model_page import write_model_report
from executor.report.model_report import ModelReport
from tests.support.html import Page, check_alone
from tests.unit.evaluation.cases import image, random_results

pytestmark = pytest.mark.filterwarnings('ignore:Glyph')  # matplotlib has no font for it, the reader has

HOSTILE = ('<script>alert(1)</script>', '猫', 'x' * 200, 'a$b$', '_"\'&amp;', '{{ 7 * 7 }}', '\ud800')


@pytest.fixture
def written(tmp_path):
    """Write the report of a validation; returns the text of its page, and its numbers."""

    def write(results, class_names, **changes) -> tuple[str, dict]:
        picture = tmp_path / 'a.jpg'
        cv2.imwrite(str(picture), np.zeros((300, 400, 3), np.uint8))
        evaluation = evaluate(results, class_names, EVALUATE_CONFIG)
        settings = {'Parameters': {'cfg_options': {'a': '</td>'}, 'seed': 1, 'anchors': None}}
        known = {
            **{'title': 'yolox.py', 'stage': 'epoch_6', 'class_names': class_names, 'evaluation': evaluation},
            **{'paths': [str(picture)] * len(results), 'images': len(results), 'history': {}, 'settings': settings},
            'analysis': analyse(evaluation.details.matches, evaluation.details.best.threshold),
        }
        write_model_report(ModelReport(**{**known, **changes}), tmp_path / 'r.html', tmp_path / 'r.json')
        text = (tmp_path / 'r.json').read_text(encoding='utf-8')
        return (tmp_path / 'r.html').read_text(encoding='utf-8'), json.loads(text)

    return write


HISTORY = {1: {'loss': 4.0, 'lr': 0.01, 'AP': 0.1, 'AP_50': 0.2}, 2: {'loss': 2.0, 'lr': 0.005}}


@pytest.fixture
def usual(written):
    return written(random_results(30, len(HOSTILE)), HOSTILE, history=HISTORY)


def test_the_page_is_whole_and_asks_for_nothing(usual):
    text, _ = usual
    check_alone(text)


def test_figures_are_whole_and_take_the_readers_colour(usual):
    text, _ = usual
    figures = re.findall(r'data:image/svg\+xml;base64,([\w+/=]+)', text)
    assert len(figures) == 8  # two of curves, errors, two of scores, three over the epochs
    for figure in figures:
        svg = base64.b64decode(figure).decode('utf-8')
        assert ElementTree.fromstring(svg).tag == '{http://www.w3.org/2000/svg}svg'
        assert 'currentColor' in svg and '<script' not in svg
        assert not re.search(r'(href|src)="(?!#|data:)', svg)


def test_names_come_out_as_text(usual):
    text, numbers = usual
    cells = Page(text).texts
    for name in HOSTILE[:-1]:
        assert name in cells
    assert '<script>alert' not in text and '49' not in cells[: cells.index('Curves')]
    assert [row['name'] for row in numbers['classes']][:-1] == list(HOSTILE[:-1])
    assert "{'a': '</td>'}" in cells


def test_the_worst_images_are_there_small_and_with_their_errors(usual):
    text, _ = usual
    pictures = re.findall(r'data:image/jpeg;base64,([\w+/=]+)', text)
    assert len(pictures) == 24
    tile = cv2.imdecode(np.frombuffer(base64.b64decode(pictures[0]), np.uint8), cv2.IMREAD_COLOR)
    assert tile.shape == (300, 400, 3) and tile.any()
    assert text.count('<ol>') == 24 and re.search(r'</span>duplicate: ', text)


def test_numbers_by_hand(written):
    """Cats: one found, one found at 0.4 as a dog; a dog missed; so at the best score one of three is right."""
    cat, dog = (0, 0, 0, 100, 100), (1, 200, 0, 300, 100)
    results = [image(0, [cat, dog], [(0, 0.9, *cat[1:])]), image(1, [cat], [(1, 0.4, *cat[1:])])]
    text, numbers = written(results, ('cat', 'dog'), images=4)
    assert numbers['coco']['AP_50'] == pytest.approx(51 / 101 / 2, abs=1e-4)
    assert numbers['coco']['AP_s'] is None
    assert (numbers['images'], numbers['images_analysed']) == (4, 2)
    assert 'are of 2 of the 4 images' in text
    best = {'threshold': 0.651, 'precision': 1.0, 'recall': 0.3333, 'f1': 0.5}
    assert numbers['best'] == best
    assert numbers['classes'][0] == {
        **{'name': 'cat', 'true_boxes': 2, 'ap': 0.505, 'ap_50': 0.505},
        'at_best': {'threshold': 0.651, 'precision': 1.0, 'recall': 0.5, 'f1': 0.6667},
        'at_own': {'threshold': 0.45, 'precision': 1.0, 'recall': 0.5, 'f1': 0.6667},
    }
    assert numbers['classes'][1]['at_own'] is None
    assert numbers['errors']['classification'] == {'boxes': 1, 'ap_50': 0.2475}
    assert numbers['errors']['missed']['boxes'] == 1
    assert numbers['confusion']['true_predicted_boxes'] == [[0, 0, 1], [0, 2, 1], [1, 2, 1]]
    assert numbers['by_score']['all']['recall'][::45] == [0.3333, 0.3333, 0.3333]
    assert numbers['by_score']['classes'][1]['precision'][40] == 0
    assert numbers['localisation'] == pytest.approx({'ap': 67 / 101, 'ap_50': 67 / 101, 'ap_75': 67 / 101}, abs=1e-4)
    assert numbers['calibration']['count'] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert numbers['platform'] == {
        **{'mAP': 0.2525, 'mAR': 0.25, 'tp': 1, 'fp': 1, 'fn': 2, 'iou_thr': 0.5, 'conf_thr': 0.005}
    }
    assert '<strong>0.651</strong>' in text


def test_losses_in_nms_and_times(written):
    results = [image(0, [(1, 0, 0, 9, 9)], [(1, 0.5, 0, 0, 9, 9)])]
    lost = LostBoxes(3, 5, 40, np.array([1, 0, 1, 1]), np.array([0.7, 0.25, 0.1, 0.4]))
    speed = {'images': 3, 'input': [416, 320], 'ran_on': 'CPU', 'gflops': None, 'postprocessing_ms': None}
    speed.update(preparation_ms=0.26, network_ms=23.68)
    text, numbers = written(results, HOSTILE[:2], lost=lost, speed=speed)
    assert numbers['lost_in_nms'] == {
        **{'images': 3, 'images_with_missed': 5, 'missed': 40, 'boxes': 4},
        'classes': [
            {'name': HOSTILE[0], 'boxes': 1, 'pair_iou': [0.25]},
            {'name': HOSTILE[1], 'boxes': 3, 'pair_iou': [0.1, 0.4, 0.7]},
        ],
    }
    cells = Page(text).texts
    row = cells[cells.index('lost') :]
    assert row[row.index('猫') :][:5] == ['猫', '3', '0.100', '0.400', '0.700']
    assert 'in 3 images, of the 5 with such boxes' in text and 'input 416 x 320' in text
    assert [cell for cell in cells[cells.index('GFLOPs') + 1 :] if cell.strip()][:4] == [
        '0.3',
        '23.7',
        'in the network',
        '–',
    ]
    check_alone(text)


def test_what_was_not_examined_is_not_told(usual):
    text, numbers = usual
    assert (numbers['lost_in_nms'], numbers['speed']) == (None, None)
    assert 'stand too close' not in text and 'What an image takes' not in text


@pytest.mark.parametrize(
    'results, class_names',
    [
        ([], ('cat',)),
        ([image(0)], ('cat',)),
        ([image(0, [(0, 0, 0, 9, 9)])], ('cat',)),
        ([image(0, [], [(0, 0.5, 0, 0, 9, 9)])], ('cat', 'dog')),
        ([image(0, [(0, 0, 0, 9, 9, True)], [(0, 0.5, 0, 0, 9, 9)])], ('cat',)),
        ([image(0, [(0, 0, 0, 9, 9)], [(0, 0.5, -1e30, np.nan, np.inf, 9)])], ('cat',)),
        ([image(0, [(0, 0, 0, 9, 9)], [(0, 1.0, 0, 0, 9, 9)])], ('cat',)),  # all right
    ],
)
def test_of_almost_nothing_there_is_a_page(written, results, class_names):
    text, numbers = written(results, class_names)
    Page(text)
    assert len(numbers['classes']) == len(class_names)


def test_of_a_thousand_classes_the_largest_are_drawn_and_all_are_listed(written):
    results = random_results(60, 1000)
    names = [f'class {number}' for number in range(1000)]
    text, numbers = written(results, names)
    page = Page(text)
    assert text.count('<tr><td>class ') == len(numbers['classes']) == 1000
    assert '21 980 other classes' in page.texts
    assert 'of the 9 classes with the most true boxes' in text
    rows = text[text.index('class="confusion"') :].partition('</table>')[0]
    boxes = [int(cell) for cell in re.findall(r'">(\d+)</td>', rows)]
    assert sum(boxes) == sum(count for _, _, count in numbers['confusion']['true_predicted_boxes'])
    assert len(text) < 5e6


def test_an_image_that_is_gone_is_told(written, tmp_path):
    results = [image(0, [(0, 0, 0, 9, 9)])]
    text, _ = written(results, ('cat',), paths=[str(tmp_path / 'gone.jpg')])
    assert 'The image cannot be read any more' in text and 'gone.jpg, 0 right' in text


def test_equal_reports_are_equal_files(written):
    results = random_results(5, 2)
    assert written(results, ('a', 'b')) == written(results, ('a', 'b'))
