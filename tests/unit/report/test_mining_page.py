"""The page of a mining: why in pictures, cuts and classes by hand, one whole file, text that stays text."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from executor.detections import Detections, no_detections
from executor.images.look import look
from executor.report.board import Board
from executor.report.labels import class_colour
from executor.report.mining_likeness import alike
from executor.report.mining_page import show_mining
from executor.report.mining_report import MiningReport, Ranked, Varied, cuts, mixes
from executor.report.mining_tiles import IMAGE_COLOUR, VIEW_COLOUR, draw_why, scale_colours
from mining.base import Explanation, Heat, SeenView, ShownView, View
from tests.support.html import Page, check_alone

pytestmark = pytest.mark.filterwarnings('ignore:Glyph')  # matplotlib has no font for it, the reader has

HOSTILE = ('<script>alert(1)</script>', '猫', 'x' * 200, '{{ 7 * 7 }}')


def found(*boxes):
    """Boxes (label, score, x1, y1, x2, y2)."""
    values = np.array(boxes, np.float32).reshape(-1, 6)
    return Detections(values[:, 2:], values[:, 1], values[:, 0].astype(np.int64))


@pytest.fixture
def picture(tmp_path):
    def write(name='a.png', pixels=None):
        pixels = np.full((200, 400, 3), 100, np.uint8) if pixels is None else pixels
        assert cv2.imwrite(str(tmp_path / name), pixels)
        return tmp_path / name

    return write


@pytest.fixture
def shown(tmp_path):
    """Write the page; returns its text, and the tags of TensorBoard's pictures."""

    def show(**changes):
        known = {
            **{'algorithm': 'own', 'class_names': HOSTILE, 'scores': np.array([]), 'undecodable': 0},
            **{'nothing_found': 0, 'boxes': np.zeros(len(changes.get('class_names', HOSTILE)), np.int64)},
            **{'labels': [], 'highest': []},
        }
        with Board(tmp_path / 'board') as board:
            show_mining(MiningReport(**{**known, **changes}), tmp_path / 'mining.html', board)
        events = EventAccumulator(str(board.path), size_guidance={'images': 0}).Reload()
        return (tmp_path / 'mining.html').read_text(encoding='utf-8'), events

    return show


# --- why, in a picture ----------------------------------------------------------------------------------------------


def test_a_box_has_the_colour_of_what_it_adds():
    image = np.full((200, 400, 3), 100, np.uint8)
    boxes = found((0, 0.9, 10, 100, 60, 150), (1, 0.5, 200, 100, 300, 190))
    drawn = draw_why(image, Ranked('a', 0, 0.6, boxes, Explanation(0.6, box_parts=np.array([0.1, 0.531]))), 'ab', None)
    little, much = scale_colours([0.1 / 0.531, 1])
    assert tuple(drawn[140, 10]) == little and tuple(drawn[140, 200]) == much
    assert sum(much) > sum(little)
    assert tuple(drawn[140, 11]) == (100, 100, 100) and tuple(drawn[140, 201]) == much  # what adds much is bold


def test_heat_lies_where_it_is_in_the_image():
    """Two cells of 200 x 200 pixels of the image, and one below it, where the network's input is empty."""
    image = np.full((200, 400, 3), 100, np.uint8)
    heat = Heat(np.array([[0.0, 4.0], [0.0, 0.0]]), (200, 200))
    drawn = draw_why(image, Ranked('a', 0, 1.0, no_detections(), Explanation(1.0, heat=heat)), 'ab', None)
    assert drawn.shape == image.shape
    assert tuple(drawn[50, 20]) == (100, 100, 100)  # where nothing is added the image is as it is
    assert drawn[50, 380].astype(int).sum() > 450 and drawn[50, 380, 2] > 150


@pytest.mark.parametrize('width, height', [(1, 1), (1, 5000), (5000, 1), (3, 700)])
def test_heat_of_an_image_of_any_shape(width, height):
    scale = 416 / max(width, height)
    cell = (32 / max(scale, 1 / width), 32 / max(scale, 1 / height))
    why = Explanation(1.0, heat=Heat(np.ones((13, 13)), cell))
    image = np.zeros((height, width, 3), np.uint8)
    assert draw_why(image, Ranked('a', 0, 1.0, no_detections(), why), 'ab', None).any()


def test_a_view_is_beside_the_image_with_what_is_compared():
    image = np.full((200, 400, 3), 100, np.uint8)
    own = found((0, 0.9, 0, 0, 9, 9), (1, 0.5, 50, 50, 100, 100))
    seen = SeenView(np.array([[0, 0, 9, 9], [300, 50, 350, 100]], np.float32), found((1, 0.4, 310, 60, 360, 120)))
    asked = []

    def make_views(image, detections, position):
        asked.append((len(detections), position))
        return [View(image, own.boxes), View(image // 2, seen.boxes)]

    why = Explanation(-0.1, view=ShownView(1, seen, box=1, match=0))
    drawn = draw_why(image, Ranked('a', 7, -0.1, own, why), 'ab', make_views)
    assert asked == [(2, 7)]
    assert drawn.shape == (404, 400, 3)
    assert tuple(drawn[98, 75]) == IMAGE_COLOUR and tuple(drawn[204 + 98, 302]) == IMAGE_COLOUR
    assert tuple(drawn[204 + 118, 350]) == VIEW_COLOUR and tuple(drawn[204 + 150, 20]) == (50, 50, 50)
    assert tuple(drawn[5, 0]) == (100, 100, 100)  # the box that does not decide is left out


def test_without_a_reason_boxes_have_the_colours_of_their_classes():
    boxes = found((1, 0.5, 200, 100, 300, 190), (0, 0.05, 10, 100, 60, 150))
    drawn = draw_why(np.full((200, 400, 3), 100, np.uint8), Ranked('a', 0, 0.6, boxes), 'ab', None)
    assert tuple(drawn[140, 200]) == class_colour(1)
    assert tuple(drawn[140, 10]) == (100, 100, 100)  # below 0.1


# --- numbers --------------------------------------------------------------------------------------------------------


def test_cuts_by_hand():
    scores = np.arange(150, 0, -1.0)
    assert [tuple(cut) for cut in cuts(scores)] == [
        ('highest 1 %', 2, 149),
        ('highest 5 %', 8, 143),
        ('highest 10 %', 15, 136),
        ('highest 20', 20, 131),
        ('highest 50', 50, 101),
        ('highest 100', 100, 51),
    ]
    assert cuts(np.array([])) == [] and cuts(np.array([1.0])) == []
    assert [cut.images for cut in cuts(np.array([3.0, 2.0]))] == [1, 1, 1]


def test_classes_of_the_highest_against_the_pool():
    """21 images: the highest 20 hold a cat each and the last two dogs."""
    labels = [np.array([0])] * 20 + [np.array([1, 1])]
    report = MiningReport('own', ('cat', 'dog'), np.arange(21.0), 0, 0, np.array([20, 2]), labels, [])
    pool, highest = mixes(report)
    assert (pool.name, highest.name) == ('pool', 'highest 20')
    np.testing.assert_allclose(pool.shares, [20 / 22, 2 / 22])
    np.testing.assert_allclose(highest.shares, [1, 0])


def test_pictures_that_look_alike_are_grouped():
    rng = np.random.default_rng(0)
    scenes = [cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (320, 240)) for _ in range(4)]
    brighter = np.clip(scenes[1] * 0.8 + 30, 0, 255).astype(np.uint8)
    moved = np.roll(scenes[1], 4, axis=1)
    smaller = cv2.resize(scenes[3], (100, 80))
    pictures = [*scenes, brighter, moved, smaller, np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)]
    assert alike([look(picture) for picture in pictures]) == [[1, 4, 5], [3, 6], [7, 8]]
    assert alike([]) == []


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_is_whole_and_says_what_is_known(shown, picture):
    scene = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8), (400, 300))
    a = picture('a.png', scene)
    shares = Explanation(0.7, 'words & such', class_parts=np.array([0.35, 0.2, 0.001, 0.149]))
    score = 0.12345678901234567
    highest = [
        Ranked(a, 0, score, found((1, 0.5, 20, 10, 300, 190)), shares),
        Ranked(picture('<b>.png', scene[4:, 4:]), 1, 0.1, found()),
        Ranked(a.with_name('gone.png'), 2, 0.05, found()),
    ]
    boxes = np.array([3, 5, 0, 1])
    text, events = shown(
        highest=highest,
        scores=np.linspace(0.2, 0, 30),
        labels=[np.array([1])] * 30,
        boxes=boxes,
        undecodable=4,
        nothing_found=2,
    )
    check_alone(text)
    texts = Page(text).texts
    assert f'value="{score!r}"' in text and '0.12346' in texts
    for name in (HOSTILE[0], HOSTILE[1], HOSTILE[3]):
        assert name in texts
    assert '<script>alert' not in text and '<b>' not in text
    row = re.search(r'<tr><td>猫</td>(.*?)</tr>', text).group(1)
    assert [re.sub('<.*?>', '', cell) for cell in row.split('</td>')] == ['5', '55.6&nbsp;%', '20', '100.0&nbsp;%', '']
    assert 'words & such' in texts and f'{HOSTILE[0]} 50.0\xa0%' in texts and '猫 28.6\xa0%' in texts
    assert not any('x' * 200 in one and '%' in one for one in texts)  # adds less than half a percent
    assert 'The image could not be read again.' in texts
    assert '1: a.png, 2: <b>.png' in texts  # they look alike


def test_another_order_is_told_with_the_places_by_score_alone(shown, picture):
    highest = [Ranked(picture(), 4, 0.5, found(), place=1), Ranked(picture('b.png'), 7, 0.125, found(), place=31)]
    text, _ = shown(highest=highest, scores=np.array([0.5, 0.25, 0.125]), varied=Varied([4, 7, 5], [4, 5, 7], 2, 0))
    texts = ' '.join(Page(text).texts)
    assert 'The 3 images of the highest scores are put into another order' in texts
    assert re.search(r'of the first 3 images.*<td>look like another of them</td><td>2</td><td>0</td>', text, re.S)
    assert re.search(r'2: <strong><data value="0.125">0.125</data></strong>, 31 by score alone, b.png', text)
    assert 'The 2 first' in texts and 'highest</h2>' not in text
    assert 'by score alone' not in shown(highest=[Ranked(picture(), 4, 0.5, found())], scores=np.array([0.5]))[0]


def test_weights_of_classes_are_told_where_there_are_some(shown, picture):
    known = {
        'highest': [Ranked(picture(), 0, 0.5, found((1, 0.5, 20, 10, 300, 190)), Explanation(0.5))],
        'scores': np.array([0.5, 0.25]),
        'boxes': np.array([3, 5, 0, 0]),
        'labels': [np.array([1])] * 2,
    }
    texts = ' '.join(Page(shown(**known)[0]).texts)
    assert 'weigh' not in texts
    text, _ = shown(**known, class_weights=(1.0, 1.160514, 2.0, 0.0))
    assert 'The score weighs the classes' in text and '<a href="#classes">' in text and '<section id="classes">' in text
    assert '<tr><td>猫</td><td><data value="1.160514">1.16</data></td><td>5</td>' in text
    Page(text)


def test_what_weights_make_large_has_the_brightest_colour():
    image, boxes = (
        np.full((200, 400, 3), 100, np.uint8),
        found((0, 0.9, 10, 100, 60, 150), (1, 0.5, 200, 100, 300, 190)),
    )
    drawn = draw_why(image, Ranked('a', 0, 5, boxes, Explanation(5, box_parts=np.array([1.0, 4.0]))), 'ab', None)
    assert (tuple(drawn[140, 10]), tuple(drawn[140, 200])) == tuple(scale_colours([0.25, 1]))


def test_of_almost_nothing_there_is_a_page(shown):
    text, events = shown()
    Page(text)
    assert 'No two of them look alike.' in text
    text, _ = shown(algorithm='random', scores=np.array([0.5]), nothing_found=1, class_names=('one',))
    Page(text)
    assert 'the algorithm needs none' in text and 'in which nothing is found' not in text


def test_of_a_thousand_classes_and_fifty_images_the_page_is_small(shown, picture):
    rng = np.random.default_rng(0)
    noise = picture('noise.jpg', cv2.resize(rng.integers(0, 255, (60, 80, 3), np.uint8), (1600, 1200)))
    names = [f'class {number}' for number in range(1000)]
    everything = Explanation(
        1.0, class_parts=np.ones(1000), heat=Heat(rng.random((13, 13)), (124, 124)), box_parts=None
    )
    boxes = found(*[(n, 0.5, *rng.uniform(0, 800, 2), 900, 1000) for n in range(100)])
    text, events = shown(
        class_names=names,
        highest=[Ranked(noise, n, 1.0, boxes, everything) for n in range(50)],
        scores=np.ones(60),
        labels=[np.arange(1000)] * 60,
        boxes=np.full(1000, 60),
    )
    assert len(text) < 6e6
    assert text.count('<tr><td>class ') == 1000
    assert len([tag for tag in events.Tags()['images'] if 'highest' in tag]) == 50


def test_tensorboard_has_the_pictures_of_the_page(shown, picture):
    highest = [Ranked(picture(), 0, 0.5, found((0, 0.5, 20, 10, 300, 190))), Ranked(picture('b.png'), 1, 0.4, found())]
    text, events = shown(highest=highest, scores=np.array([0.5, 0.4, 0.1]), boxes=np.array([1, 0, 0, 0]), labels=[[0]])
    tags = events.Tags()
    assert tags['images'] == ['mining/highest 01', 'mining/highest 02', 'mining/histogram', 'mining/classes']
    assert tags['histograms'] == ['mining/scores'] and events.Histograms('mining/scores')[0].histogram_value.num == 3
    (first,) = events.Images('mining/highest 01')
    drawn = cv2.imdecode(np.frombuffer(first.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (200, 400, 3)
