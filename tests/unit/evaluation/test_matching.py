"""Matching class by class: the same as pycocotools with all classes at once."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from executor.evaluation import matching
from executor.evaluation.boxes import join
from executor.evaluation.localisation import localisation
from executor.evaluation.matching import average_precision, match
from tests.unit.evaluation.cases import CAT, DOG, image, matches_of, random_results


def all_at_once(results, classes: int, ignore_classes: bool = False) -> COCOeval:
    """pycocotools as it is meant to be used."""

    def coco(entries):
        made = COCO()
        made.dataset = {
            'images': [{'id': result.image_id} for result in results],
            'categories': [{'id': label} for label in range(classes)],
            'annotations': [{**entry, 'id': number + 1} for number, entry in enumerate(entries)],
        }
        made.createIndex()
        return made

    def entry(result, box, label, **more):
        x1, y1, x2, y2 = box.tolist()
        area = (x2 - x1) * (y2 - y1)
        place = {'image_id': result.image_id, 'category_id': int(label), 'bbox': [x1, y1, x2 - x1, y2 - y1]}
        return {**place, 'area': area, **more}

    true = [
        entry(result, box, label, iscrowd=int(ignore))
        for result in results
        for box, label, ignore in zip(result.truth.boxes, result.truth.labels, result.truth.ignore)
    ]
    found = [
        entry(result, box, label, iscrowd=0, score=float(score))
        for result in results
        for box, label, score in zip(result.found.boxes, result.found.labels, result.found.scores)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco(true), coco(found), 'bbox')
        evaluation.params.useCats = int(not ignore_classes)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize('images, classes, boxes', [(0, 1, 1), (1, 1, 3), (30, 5, 20), (6, 1, 150), (10, 200, 30)])
def test_all_numbers_are_those_of_pycocotools(images, classes, boxes):
    results = random_results(images, classes, boxes=boxes)
    _, accumulated = match(join(results, classes))
    expected = all_at_once(results, classes)
    assert accumulated.stats == tuple(expected.stats)
    if images:
        assert np.array_equal(accumulated.precision, expected.eval['precision'])


def test_many_images_are_matched_some_at_a_time(monkeypatch):
    results = random_results(30, 5)
    monkeypatch.setattr(matching, '_IMAGES_AT_ONCE', 7)
    matches, accumulated = match(join(results, 5))
    monkeypatch.undo()
    expected, at_once = match(join(results, 5))
    assert np.array_equal(accumulated.precision, at_once.precision)
    assert np.array_equal(matches.matched, expected.matched)


def test_boxes_are_matched_as_pycocotools_says():
    results = random_results(30, 5)
    matches, _ = match(join(results, 5))
    expected = all_at_once(results, 5)
    for one in expected.evalImgs:
        if one is not None and one['aRng'] == [0, 1e10]:
            found = np.array(one['dtIds'], int) - 1
            assert np.array_equal(matches.matched[found] + 1, one['dtMatches'][0])
            assert np.array_equal(matches.counted[found], ~one['dtIgnore'][0])


def test_with_classes_ignored():
    results = random_results(30, 5, steps=10**6)  # pycocotools has equal scores in another order
    found = localisation(join(results, 5))
    expected = all_at_once(results, 5, ignore_classes=True)
    assert found == pytest.approx(expected.stats[:3])
    assert found.ap > all_at_once(results, 5).stats[0]


@pytest.mark.parametrize(
    'box', [(0, 0, np.nan, np.inf), (np.nan,) * 4, (np.inf,) * 4, (-np.inf,) * 2 + (np.inf,) * 2, (0, 0, 1e30, 1e30)]
)
def test_a_box_that_is_no_number_finds_nothing(box):
    assert not matches_of(image(0, [(CAT, 0, 0, 100, 100)], [(CAT, 0.9, *box)])).right.any()


def test_of_a_class_the_hundred_best_of_an_image_count():
    far = [(CAT, 0.5 + number / 1000, 0, 0, 10, 10) for number in range(150)]
    matches = matches_of(image(0, [], far), image(1, [], far[:20]))
    assert (np.flatnonzero(~matches.counted[:150]) == np.arange(50)).all()
    assert matches.counted[150:].all()


def test_ap_from_what_is_right_is_that_of_the_matches():
    matches, accumulated = match(join(random_results(40, 5), 5))
    kept = matches.counted
    found = average_precision(matches.label[kept], matches.score[kept], matches.right[kept], matches.true_boxes)
    assert found == pytest.approx(accumulated.curves[0].mean(axis=0), abs=1e-12)


def test_each_second_image_alone():
    results = random_results(21, 5)
    part, alone = match(join(results, 5))[0].every(2), match(join(results[::2], 5))[0]
    for name, value in vars(alone).items():
        assert np.array_equal(getattr(part, name), value), name
    assert match(join(results, 5))[0].every(1).matched.tolist() == match(join(results, 5))[0].matched.tolist()


def test_ignored_boxes_are_neither_found_nor_missed_nor_a_mistake():
    ignored, other = (CAT, 0, 0, 100, 100, True), (DOG, 0, 0, 100, 100)
    matches = matches_of(image(0, [ignored, other], [(CAT, 0.9, 0, 0, 100, 100), (DOG, 0.8, 0, 0, 100, 100)]))
    assert matches.right.tolist() == [False, True] and matches.wrong.tolist() == [False, False]
    assert matches.true_boxes.tolist() == [0, 1]
