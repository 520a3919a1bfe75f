"""COCO numbers on cases small enough to work out by hand."""

from __future__ import annotations

import pytest

from executor.evaluation.coco import COCO_NAMES, evaluate
from tests.unit.evaluation.cases import CLASSES, image

AT = {'iou_thr': 0.5, 'conf_thr': 0.05}


def test_nothing_at_all_is_zero_not_undefined():
    found = evaluate([image(0)], CLASSES, AT)
    assert (found.mAP, found.mAP_50, found.mAP_s, found.AR_100, found.mAR) == (0, 0, 0, 0, 0)
    assert (found.tp, found.fp, found.fn) == (0, 0, 0)
    assert [c.ap_50 for c in found.classes] == [0, 0]


BOX, FAR = (0, 0, 0, 100, 100), (0, 200, 200, 300, 300)  # label, x1, y1, x2, y2


@pytest.mark.parametrize(
    'true, predicted, ap_50, counts',
    [
        ([], [(0, 0.9, 0, 0, 10, 10)], 0, (0, 1, 0)),  # predictions without true boxes are false
        ([(0, 0, 0, 10, 10), (1, 5, 5, 9, 9)], [], 0, (0, 0, 2)),  # true boxes without predictions are missed
        ([BOX], [(0, 0.9, 0, 0, 100, 100), (0, 0.8, 0, 0, 100, 100)], 1, (1, 1, 0)),  # the second one of a box is false
        ([(*BOX, True), (*FAR, True)], [(0, 0.9, 0, 0, 100, 100)], 0, (0, 0, 0)),  # ignored: nor missed nor a mistake
    ],
)
def test_counts(true, predicted, ap_50, counts):
    found = evaluate([image(0, true, predicted)], CLASSES, AT)
    assert found.mAP_50 == pytest.approx(ap_50)
    assert (found.tp, found.fp, found.fn) == counts


def test_counts_and_ap_by_hand():
    """Class cat: two true boxes, ranked predictions right, wrong, right; class dog: one, found below conf_thr.

    AP50 of cat interpolates precision 1 up to recall 0.5 (51 of 101 points) and 2/3 up to 1 (50 points):
    (51 + 50 * 2 / 3) / 101. AP50 of dog is 1: the score limit counts for tp, fp, fn only.
    """
    results = [
        image(0, [(0, 0, 0, 100, 100)], [(0, 0.9, 0, 0, 100, 100), (0, 0.8, 200, 200, 300, 300)]),
        image(1, [(0, 0, 0, 50, 50), (1, 60, 60, 90, 90)], [(0, 0.7, 0, 0, 50, 50), (1, 0.04, 60, 60, 90, 90)]),
    ]
    found = evaluate(results, CLASSES, AT)
    cat, dog = found.classes
    assert cat.ap_50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert dog.ap_50 == pytest.approx(1.0)
    assert found.mAP_50 == pytest.approx((cat.ap_50 + 1) / 2)
    assert (cat.true_boxes, cat.tp, cat.fp, cat.fn, cat.recall) == (2, 2, 1, 0, 1.0)
    assert (dog.true_boxes, dog.tp, dog.fp, dog.fn, dog.recall) == (1, 0, 0, 1, 0.0)
    assert found.mAR == 0.5
    assert (found.tp, found.fp, found.fn) == (2, 1, 1)


def test_overlap_decides():
    """IoU 60 * 100 / (100 * 100) = 0.6: right at 0.5, 0.55 and 0.6, wrong above: AP 3 of 10 thresholds."""
    found = evaluate([image(0, [BOX], [(0, 0.9, 0, 0, 60, 100)])], CLASSES, AT)
    assert found.mAP_50 == pytest.approx(1.0)
    assert found.mAP_75 == 0
    assert found.mAP == pytest.approx(0.3)


def test_a_class_without_true_boxes_does_not_lower_the_mean():
    found = evaluate([image(0, [(1, 0, 0, 50, 50)], [(1, 0.9, 0, 0, 50, 50)])], CLASSES, AT)
    assert found.mAP_50 == pytest.approx(1.0)
    assert found.mAR == 1.0


def test_what_is_undefined_is_told_in_the_twelve_numbers():
    """One true box of 100 x 100, which COCO calls large, found with the second of two predictions."""
    found = evaluate([image(0, [BOX], [(0, 0.9, 200, 200, 300, 300), (0, 0.8, 0, 0, 100, 100)])], CLASSES, AT)
    expected = {'AP': 0.5, 'AP_50': 0.5, 'AP_75': 0.5, 'AP_s': -1, 'AP_m': -1, 'AP_l': 0.5}
    expected.update({'AR_1': 0, 'AR_10': 1, 'AR_100': 1, 'AR_s': -1, 'AR_m': -1, 'AR_l': 1})
    assert dict(zip(COCO_NAMES, found.details.coco)) == pytest.approx(expected)
    assert (found.mAP, found.mAP_s, found.mAP_l, found.AR_100) == pytest.approx((0.5, 0, 0.5, 1))


def test_each_class_at_the_best_threshold_of_the_whole_model():
    """Cats right at 0.9 and 0.7, wrong at 0.5; a dog right at 0.8, one missed.

    From 0.501 to 0.7 all three predictions are right, and one of four true boxes is missed: F1 is 6 / 7.
    """
    results = [
        image(0, [BOX, FAR], [(0, 0.9, 0, 0, 100, 100), (0, 0.7, 200, 200, 300, 300), (0, 0.5, 500, 500, 600, 600)]),
        image(1, [(1, 0, 0, 50, 50), (1, 60, 60, 90, 90)], [(1, 0.8, 0, 0, 50, 50)]),
    ]
    found = evaluate(results, CLASSES, AT)
    best, cat, dog = found.details.best, *(c.at_best for c in found.classes)
    assert (best.precision, best.recall, best.f1) == pytest.approx((1, 3 / 4, 6 / 7))
    assert cat.threshold == dog.threshold == best.threshold == 0.601  # the middle of 0.501 to 0.7
    assert (cat.precision, cat.recall, cat.f1) == (1, 1, 1)
    assert (dog.precision, dog.recall, dog.f1) == pytest.approx((1, 1 / 2, 2 / 3))
