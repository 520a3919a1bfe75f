"""The page of a dataset: every number in its file, text that stays text, what is told in the log."""

from __future__ import annotations

import base64
import json
import re
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from executor.report.dataset_page import dataset_page
from executor.report.dataset_report import DatasetReport, TrainingPicture, dataset_numbers, summary, warnings
from executor.survey.survey import survey
from tests.support.html import Page, check_alone
from tests.unit.survey.sets import image_set, random_set

pytestmark = pytest.mark.filterwarnings('ignore:Glyph')  # matplotlib has no font for it, the reader has

HOSTILE = ('<script>alert(1)</script>', '猫', 'x' * 200, 'a$b$', '_"\'&amp;', '{{ 7 * 7 }}', '\ud800')


def picture(*labels: int, size=(200, 300)) -> TrainingPicture:
    boxes = np.array([[10, 20, 110, 120]] * len(labels), np.float32).reshape(-1, 4)
    return TrainingPicture(np.zeros((*size, 3), np.uint8), boxes, np.array(labels, np.int64))


def made(training, validation, class_names, **options) -> tuple[str, dict]:
    found = survey(training, validation, len(class_names), seconds=10)
    report = DatasetReport(class_names, found, **{'input_size': (64, 64), 'batches': [], **options})
    numbers = dataset_numbers(report)
    return dataset_page(report, numbers), json.loads(json.dumps(numbers, allow_nan=False))


@pytest.fixture(scope='module')
def usual():
    sets = (random_set(30, len(HOSTILE), seed) for seed in (0, 1))
    return made(*sets, HOSTILE, batches=[[picture(0, 1, 1, 6), picture()], [picture(2)]])


def test_the_page_is_whole_and_asks_for_nothing(usual):
    check_alone(usual[0])


def test_names_come_out_as_text(usual):
    text, numbers = usual
    cells = Page(text).texts
    for name in HOSTILE[:-1]:
        assert name in cells
    assert '<script>alert' not in text
    assert numbers['classes'][:-1] == list(HOSTILE[:-1])


def test_figures_are_whole(usual):
    figures = re.findall(r'data:image/svg\+xml;base64,([\w+/=]+)', usual[0])
    assert len(figures) == 6  # classes, three distributions, two heat maps
    for figure in figures:
        assert ElementTree.fromstring(base64.b64decode(figure)).tag == '{http://www.w3.org/2000/svg}svg'


def test_pictures_of_batches_have_their_boxes_and_classes(usual):
    text, _ = usual
    pictures = [base64.b64decode(one) for one in re.findall(r'data:image/jpeg;base64,([\w+/=]+)', text)]
    first, second, third = (cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in pictures)
    assert first.shape == (200, 300, 3)
    assert not second.any() and first[20:22, 20:100].any(axis=2).all() and not first[40:100, 30:90].any()
    texts = Page(text).texts
    assert texts.index('猫 (2)') < texts.index('Batch 2') < [n for n, one in enumerate(texts) if one == 'x' * 200][-1]
    assert '300 x 200, no box' in texts


def test_of_a_large_batch_some_pictures_are_shown():
    text, _ = made(random_set(3, 2), None, ('a', 'b'), batches=[[picture(0)] * 17])
    assert 'Batch 1, 16 of 17 pictures' in text and text.count('image/jpeg') == 16


def test_of_a_picture_with_many_classes_some_are_named():
    names = [f'class {n}' for n in range(20)]
    text, _ = made(random_set(3, 20), None, names, batches=[[picture(*range(20))]])
    assert 'and 14 more classes' in text


def test_numbers_by_hand():
    """Sizes in 64 x 64 of 128 x 128: cats of 4 and 16 pixels, a dog of 32; in validation a cat."""
    sets = [
        image_set(*boxes, size=(128, 128), input_size=(64, 64))
        for boxes in ([[[0, 0, 0, 8, 8], [1, 0, 0, 64, 64]], [[0, 0, 0, 32, 32, 0]], []], [[[0, 0, 0, 64, 64]]])
    ]
    text, numbers = made(*sets, ('cat', 'dog'))
    training = numbers['training']
    assert (numbers['input_size'], training['images'], training['boxes'], training['empty']) == ([64, 64], 3, 3, 1)
    assert training['classes'] == {'boxes': [2, 1], 'images': [2, 1], 'tiny': [1, 0], 'median_size': [10, 32]}
    assert numbers['validation']['classes']['median_size'] == [32, None]
    assert training['size']['quantiles']['50'] == 16
    assert np.sum(training['centres']) == 3
    assert numbers['drift']['classes']['distance'] == pytest.approx(1 / 3, abs=1e-4)
    assert numbers['drift']['size']['distance'] == pytest.approx(2 / 3, abs=1e-4)
    assert '<td>66.7&nbsp;%</td>' in text
    assert summary(numbers) == [
        'training: 3 boxes in 3 images (1 without any), half of them 10 to 24 pixels at 64 x 64, 1 below 8',
        'validation: 1 boxes in 1 images (0 without any), half of them 32 to 32 pixels at 64 x 64, 0 below 8',
        'validation against training: class shares differ by 33% (40% would be chance), '
        'box sizes differ by 67% (100% would be chance)',
    ]
    assert warnings(numbers) == []


def test_pairs_and_crowds_are_told():
    sets = image_set([[0, 0, 0, 10, 10], [0, 0, 0, 10, 10], [0, 0, 0, 9, 9, 1]])
    _, numbers = made(sets, None, ('cat',), input_size=None)
    assert summary(numbers) == [
        'training: 2 boxes in 1 images (0 without any), half of them 10 to 10 pixels on disk, 0 below 8, '
        '1 pairs overlap above IoU 0.6, 1 difficult or crowd'
    ]


def test_images_in_both_sets_are_a_warning(tmp_path):
    paths = [str(tmp_path / name) for name in ('a.jpg', 'b.jpg', 'c.jpg', '<d>.jpg')]
    for path, content in zip(paths, (b'1', b'2', b'2', b'1')):
        (tmp_path / path).write_bytes(content)
    sets = [image_set([[0, 0, 0, 9, 9]], [], paths=part) for part in (paths[:2], paths[2:])]
    text, numbers = made(*sets, ('cat',))
    assert warnings(numbers) == [
        '2 validation images are training images, too, so that mAP will be too high: a.jpg = <d>.jpg, b.jpg = c.jpg: '
        'leave them out of one of the two'
    ]
    assert Page(text).texts.count('<d>.jpg') == 1
    _, numbers = made(sets[0], sets[0], ('cat',))
    assert 'too high: a.jpg, b.jpg: leave' in warnings(numbers)[0]
    assert 'No two images' not in text


def test_images_that_are_left_out_are_named():
    sets = image_set([[0, 0, 0, 9, 9]], broken=[f'/a/{n}<.jpg is not an image' for n in range(60)])
    text, numbers = made(sets, None, ('cat',))
    assert (numbers['training']['broken'], len(numbers['training']['broken_named'])) == (60, 50)
    assert '/a/49<.jpg is not an image' in Page(text).texts and 'and 10 more' in text


@pytest.mark.parametrize('images', [[], [[]], [[[0, 0, 0, 9, 9, 1]]], [[[0, 0, 0, 9, 9]]]])
def test_of_almost_nothing_there_is_a_page(images):
    one = image_set(*images)
    for validation in (None, one):
        text, numbers = made(one, validation, ('cat',), no_batches='no <image>')
        check_alone(text)
        assert 'They cannot be shown: no <image>.' in Page(text).texts
        assert summary(numbers)[0].startswith(f'training: {numbers["training"]["boxes"]} boxes in {len(images)} images')


def test_of_a_thousand_classes_all_are_listed_and_the_largest_drawn():
    names = [f'kind {number}' for number in range(1000)]
    text, numbers = made(random_set(60, 1000), random_set(20, 1000, seed=1), names)
    assert text.count('<tr><td>kind ') == len(numbers['training']['classes']['boxes']) == 1000
    assert 'The 15 classes with the greatest shares' in text and len(text) < 2e6
