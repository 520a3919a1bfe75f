"""What TensorBoard's own reader finds in a file of ours, and that a file which cannot be written costs nothing."""

from __future__ import annotations

import errno
import logging
from html import unescape

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugin_util import markdown_to_safe_html

from executor.report.board import SIDE, Board, escaped, markdown_table
from tests.support.board import pixels, read_board


def shown(board: Board):
    return read_board(board.path.parent)


def test_a_picture_is_a_small_jpeg(board):
    picture = np.zeros((1000, 2 * SIDE, 3), np.uint8)
    picture[:, SIDE:, 2] = 255
    board.image('a', picture, 3)
    (image,) = shown(board).images['a'].items()
    assert image[0] == 3 and image[1][:3] == b'\xff\xd8\xff'
    found = pixels(image[1])
    assert found.shape == (500, SIDE, 3)
    assert found[250, 100].tolist() == [0, 0, 0] and np.allclose(found[250, -100], [0, 0, 255], atol=3)


def test_bytes_stay_as_they_are_where_they_are_small_enough(board):
    small, large = (cv2.imencode('.png', np.zeros((9, width, 3), np.uint8))[1].tobytes() for width in (20, SIDE + 1))
    board.image('small', small)
    board.image('large', large)
    images = shown(board).images
    assert images['small'][0] == small
    assert pixels(images['large'][0]).shape == (9, SIDE, 3)


def test_pictures_are_bounded_in_sum_and_it_is_told_once(board, monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger='executor')
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    board.image('a', noise, 1)
    monkeypatch.setattr(board, '_left', len(shown(board).images['a'][1]))
    for step in (2, 3, 4):
        board.image('a', noise, step)
    assert list(shown(board).images['a']) == [1, 2]
    assert [message for message in caplog.messages if 'pictures' in message] == [
        'tensorboard: pictures after the first 24 MB are left out'
    ]


def test_precision_and_recall_by_hand(board):
    """From scores 0, 0.5 and 1 on: of five true boxes four are found beside four mistakes, two beside one, none."""
    board.pr_curve('a', [4, 2, 0], [4, 1, 0], 5, 7)
    rows = shown(board).curves['a'][7]
    tp, fp, _, fn, precision, recall = rows
    assert (tp.tolist(), fp.tolist(), fn.tolist()) == ([4, 2, 0], [4, 1, 0], [1, 3, 5])
    assert precision == pytest.approx([0.5, 2 / 3, 0]) and recall == pytest.approx([0.8, 0.4, 0])


def test_of_no_true_box_there_is_a_curve_all_the_same(board):
    board.pr_curve('a', [0, 0], [3, 0], 0)
    assert shown(board).curves['a'][0][4:].tolist() == [[0, 0], [0, 0]]


def test_runs_are_compared_by_settings_and_metrics_of_the_same_folder(board):
    board.hparams({'lr': 0.1, 'batch': 8, 'mosaic': True, 'model': 'nano'}, ['best/AP50'])
    board.scalar('best/AP50', 0.5, 3)
    found = shown(board)
    assert found.settings == {'lr': 0.1, 'batch': 8.0, 'mosaic': True, 'model': 'nano'}
    assert found.metrics == ['best/AP50'] and found.scalars['best/AP50'] == {3: 0.5}
    assert not found.ended
    board.success()
    assert shown(board).ended


def test_a_name_that_no_file_can_hold_is_shown_without_what_it_cannot(board):
    board.scalar('AP/\ud800猫', 0.5)
    board.hparams({'config_file': '\ud800.py'}, [])
    assert list(shown(board).scalars) == ['AP/?猫'] and shown(board).settings == {'config_file': '?.py'}


def test_a_histogram_counts(board):
    board.histogram('a', [0.0, 0.1, 1.0, np.nan])
    board.histogram('none', [])
    events = EventAccumulator(str(board.path.parent)).Reload()
    assert events.Tags()['histograms'] == ['a']
    (found,) = events.Histograms('a')
    value = found.histogram_value
    assert (value.num, value.min, value.max, sum(value.bucket)) == (3, 0, 1, 3)
    assert [limit for limit, count in zip(value.bucket_limit, value.bucket) if count] == pytest.approx(
        [0.025, 0.125, 1]
    )


def test_text_stays_text(board):
    names = ['<script>alert(1)</script>', '猫', 'a|b', '`x` *y* _z_', '\ud800', 'a\nb', '[a](http://b)']
    board.text('a', markdown_table(['class', 'AP'], [[name, 0.5] for name in names]))
    text = shown(board).texts['a'][0]
    lines = text.splitlines()
    assert lines[:2] == ['| class | AP |', '| --- | --- |'] and len(lines) == 2 + len(names)
    assert all(line.count('|') == 3 and line.endswith(' | 0.500 |') for line in lines[2:])
    assert '<' not in text and '猫' in text and '`' not in text and '](' not in text


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_tensorboard_makes_the_same_text_of_an_escaped_one():
    for text in ('<b>1</b> & a|b', '# 1. *x* __y__ ~z~', '1. a', '- a', '![a](b) <http://c.d>', 'a:b \\`c\\` {d}+!'):
        assert unescape(markdown_to_safe_html(escaped(text))).strip() == f'<p>{text}</p>'


def test_what_was_written_is_there_at_once(board):
    board.scalar('a', 1)
    assert shown(board).scalars == {'a': {0: 1.0}}


def test_two_boards_of_a_second_are_two_files_of_one_run(tmp_path):
    for number in (1, 2):
        with Board(tmp_path) as board:
            board.scalar('a', number, number)
    assert len(list(tmp_path.iterdir())) == 2
    assert read_board(tmp_path).scalars == {'a': {1: 1.0, 2: 2.0}}


class Full:
    """A file of a full disk."""

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, 'No space left on device')

    def close(self) -> None:
        pass


def test_a_full_disk_is_a_warning_and_then_silence(board, caplog):
    board.scalar('a', 1)
    board.close()
    board._file = Full()
    for step in range(3):
        board.scalar('a', 2, step)
        board.image('b', np.zeros((9, 9, 3), np.uint8))
    assert caplog.messages == ['tensorboard: nothing more is written: [Errno 28] No space left on device']
    assert shown(board).scalars == {'a': {0: 1.0}}


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path, caplog):
    (tmp_path / 'file').write_text('')
    with Board(tmp_path / 'file') as board:
        board.text('a', 'b')
    assert len(caplog.messages) == 1 and 'tensorboard: nothing more is written' in caplog.text
