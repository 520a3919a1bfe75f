"""Names in pictures: where they lie, what colours they have, and letters of all scripts."""

from __future__ import annotations

import os

import numpy as np
import pytest
from matplotlib.ft2font import FT2Font

from executor.report import labels
from executor.report.labels import Labels, class_colour, text_mask

RED, WHITE = (0, 0, 255), (255, 255, 255)


def picture(width: int = 200, height: int = 100) -> np.ndarray:
    return np.full((height, width, 3), 7, np.uint8)


def written(canvas: np.ndarray) -> np.ndarray:
    """Where something lies on the canvas."""
    return (canvas != 7).any(axis=2)


def test_a_label_lies_above_its_box_in_its_colour():
    canvas = picture()
    assert Labels(canvas).write('cat 0.90', (50, 40, 90, 80), RED)
    rows, columns = np.where(written(canvas))
    height, width = text_mask('cat 0.90', 12).shape
    assert (rows.min(), rows.max() + 1) == (40 - height, 40)
    assert (columns.min(), columns.max() + 1) == (50, 50 + width)
    assert tuple(canvas[40 - height, 50]) == RED  # the ground
    assert (canvas[written(canvas)] == WHITE).all(axis=1).any()  # the ink, on red


def test_no_label_covers_another_and_none_leaves_the_picture():
    canvas = picture()
    texts, total, placed = Labels(canvas), 0, 0
    for number in range(40):
        text = f'name {number}'
        if texts.write(text, (60 + number % 3, 30, 100, 60), class_colour(number)):
            placed, total = placed + 1, total + text_mask(text, 12).size
    assert 3 < placed < 40  # where there is no place left nothing is written
    assert written(canvas).sum() == total


@pytest.mark.parametrize('box', [(-500, -500, -400, -400), (190, 95, 900, 900), (0, 0, 200, 100)])
def test_a_box_at_the_edge_has_its_label_inside(box):
    canvas = picture()
    assert Labels(canvas).write('somewhere', box, RED)
    assert written(canvas).sum() == text_mask('somewhere', 12).size


def test_a_picture_that_is_too_small_has_none():
    assert not Labels(picture(10, 5)).write('cat', (0, 0, 10, 5), RED)


def test_long_names_are_cut():
    canvas = picture(900)
    assert Labels(canvas).write('n' * 200, (0, 50, 10, 60), RED)
    assert written(canvas).any(axis=0).sum() == text_mask('n' * 23 + '…', 12).shape[1]


def test_a_line_is_cut_at_the_edge():
    canvas = picture()
    Labels(canvas).write_line('far too long for this picture ' * 9, 100, 15)
    assert written(canvas)[-1].all() and not written(canvas)[50].any()


def test_twenty_classes_have_twenty_colours():
    colours = np.array([class_colour(label) for label in range(20)], int)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=2)[~np.eye(20, dtype=bool)]
    assert apart.min() > 25


def test_letters_that_latin_has_not_are_written_not_question_marks():
    assert text_mask('Σκύλος', 12).tolist() != text_mask('??????', 12).tolist()
    assert text_mask('Ж', 12).shape[1] != text_mask('?', 12).shape[1]
    # In the place of one that no font has, a Linear B sign.
    assert text_mask('a\U00010000', 12).tolist() == text_mask('a?', 12).tolist()


def test_the_font_that_has_most_of_a_text_writes_it(tmp_path, monkeypatch):
    """Two fonts of matplotlib's: the second alone has the sign, as a font for Chinese alone has Chinese."""
    folder = os.path.dirname(labels.FONTS[0])
    first, second = os.path.join(folder, 'cmr10.ttf'), os.path.join(folder, 'STIXGeneral.ttf')
    only = sorted(set(FT2Font(second).get_charmap()) - set(FT2Font(first).get_charmap()))[-1]
    monkeypatch.setattr(labels, 'FONTS', (first, str(tmp_path / 'none.ttf'), second))
    labels._fonts.cache_clear()
    try:
        assert [labels._font_of(text).path for text in ('a', chr(only))] == [first, second]
    finally:
        labels._fonts.cache_clear()
