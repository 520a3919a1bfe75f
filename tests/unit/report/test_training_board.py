"""The best model in TensorBoard: its figures, its classes, its worst images, whatever its classes are called."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.evaluation.analysis import analyse
from executor.evaluation.coco import evaluate
from executor.report import labels
from executor.report.figures import draw_confusion, png_bytes
from executor.report.model_report import ModelReport
from executor.report.training_board import dataset_pictures, rarest, show_model, show_settings
from tests.support.board import pixels, read_board
from tests.unit.evaluation.cases import image, random_results
from tests.unit.report.test_model_page import HOSTILE


@pytest.fixture
def shown(tmp_path, board):
    """Show a model of some results; returns what a reader finds."""

    def show(results, class_names):
        picture = tmp_path / 'a_b.jpg'
        cv2.imwrite(str(picture), np.zeros((300, 400, 3), np.uint8))
        evaluation = evaluate(results, class_names, EVALUATE_CONFIG)
        analysis = analyse(evaluation.details.matches, evaluation.details.best.threshold)
        paths = [str(picture)] * len(results)
        report = ModelReport('a.py', 'epoch_6', class_names, evaluation, analysis, paths, len(results), {}, {})
        show_model(board, 6, report)
        return read_board(board.path.parent)

    return show


def test_one_wrong_box_and_one_missed_by_hand(shown):
    """A cat is found at 0.9, a second one at 0.95 where a dog is; another dog is missed."""
    boxes = {'cat': (0, 0, 0, 100, 100), 'dog': (1, 200, 0, 300, 100), 'far': (1, 0, 200, 90, 290)}
    found = [(0, 0.9, *boxes['cat'][1:]), (0, 0.95, *boxes['dog'][1:])]
    board = shown([image(0, list(boxes.values()), found)], ('cat', 'dog'))
    errors = board.texts['best model/worst images'][6].splitlines()
    assert errors == [
        '',
        '**01: a&#95;b&#46;jpg**, 2 errors, 1 right',
        '',
        '1. classification: cat 0.95, which is dog',
        '2. missed: dog',
    ]
    (step, worst), *more = board.images['worst images/01'].items()
    assert (step, more) == (6, []) and pixels(worst).shape == (300, 400, 3)
    assert np.allclose(pixels(worst)[50, 200], (0, 159, 230), atol=60)  # the colour of a wrong class, blue first
    table = board.texts['best model/classes'][6].splitlines()
    assert table[0] == 'Precision, recall and F1 of boxes scored 0.450 and above.'
    assert table[-2:] == [
        '| dog | 2 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 |',
        '| cat | 1 | 0.500 | 0.500 | 0.500 | 1.000 | 0.667 |',
    ]


def test_names_stay_text(shown, recwarn):
    board = shown(random_results(30, len(HOSTILE)), HOSTILE)
    for text in board.texts.values():
        assert '<script' not in text[6]
    assert '| 猫 |' in board.texts['best model/classes'][6]
    assert len([tag for tag in board.images if tag.startswith('worst images/')]) == 12
    assert not [warning for warning in recwarn if 'Glyph' in str(warning.message) and '29483' in str(warning.message)]


def test_a_table_is_bounded_and_says_so(shown):
    board = shown([image(0, [(k, 0, 0, 9, 9) for k in range(250)])], tuple(f'c{k}' for k in range(250)))
    table = board.texts['best model/classes'][6]
    assert table.count('\n| c') == 1 + 200 and table.endswith('and 50 more classes')
    assert pixels(board.images['best model/confusion, by true class'][6]).shape[1] == 720


@pytest.mark.parametrize('results', [[], [image(0)], [image(0, [], [(0, 0.5, 0, 0, 9, 9)])]])
def test_of_almost_nothing_there_are_figures(shown, results):
    board = shown(results, ('cat',))
    assert len([tag for tag in board.images if tag.startswith('best model/')]) == 6


@pytest.mark.skipif(not any('wqy' in font and os.path.isfile(font) for font in labels.FONTS), reason='has no such font')
def test_figures_write_names_in_chinese():
    one, other = (png_bytes(draw_confusion([name], [('true', [(1, 0.5)])])) for name in '猫狗')
    assert one != other  # as two boxes for want of a font were not


def test_the_rarest_classes_with_true_boxes_are_chosen():
    boxes = [5, 0, 2, 9, 1]
    results = [image(0, [(k, 0, 0, 9, 9) for k, count in enumerate(boxes) for _ in range(count)])]
    classes = evaluate(results, 'abcde', EVALUATE_CONFIG).classes
    assert rarest(classes, 2) == [2, 4] and rarest(classes, 9) == [0, 2, 3, 4]


def test_settings_are_tables(board):
    show_settings(board, {'Training': {'seed': 1, 'config': 'a|b'}, 'Versions': {'torch': '2.0'}}, 3)
    text = read_board(board.path.parent).texts['settings'][3]
    assert '### Training' in text and '| seed | 1 |' in text and '| config | a&#124;b |' in text


def test_no_batch_is_no_picture():
    assert dataset_pictures([[]]) == []
