"""Boxes of detections: their conversions and overlaps, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from executor.detections import Detections, class_counts, iou_matrix, no_detections, to_whole_xywh

NAN, INF = float('nan'), float('inf')


def boxes_of(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    'box, expected',
    [
        ([10, 5, 30, 25], [10, 5, 20, 20]),
        ([1.5, 2.5, 10.5, 20.5], [2, 3, 9, 18]),  # halves go up, at the start and at the end
        ([1.49, 2.49, 10.49, 20.49], [1, 2, 9, 18]),
        ([1.51, 2.51, 10.51, 20.51], [2, 3, 9, 18]),
        ([-3, -4, 120, 60], [0, 0, 100, 50]),  # clipped to the 100 x 50 image
        ([-0.6, -0.4, 99.4, 49.6], [0, 0, 99, 50]),
        ([0, 0, 100, 50], [0, 0, 100, 50]),
        ([10, 10, 10, 10], [10, 10, 1, 1]),  # never less than a pixel
        ([10.6, 10.6, 10.9, 11.2], [11, 11, 1, 1]),
        ([100, 50, 100, 50], [99, 49, 1, 1]),
        ([99.7, 49.7, 99.9, 49.9], [99, 49, 1, 1]),
        ([120, 10, 150, 20], [99, 10, 1, 10]),  # beside the image: the nearest pixel of its border
        ([-50, -20, -10, -5], [0, 0, 1, 1]),
        ([10, 60, 20, 70], [10, 49, 10, 1]),
        ([30, 20, 10, 5], [30, 20, 1, 1]),  # inverted: a pixel at what says it is the start
        ([NAN, NAN, NAN, NAN], [0, 0, 1, 1]),  # of a model that has gone wrong
        ([NAN, 5, 10, NAN], [0, 5, 10, 1]),
        ([-INF, -INF, INF, INF], [0, 0, 100, 50]),
        ([INF, INF, -INF, -INF], [99, 49, 1, 1]),
        ([-3e38, -3e38, 3e38, 3e38], [0, 0, 100, 50]),
    ],
)
def test_whole_xywh_by_hand(box, expected):
    assert to_whole_xywh(boxes_of(box), 100, 50).tolist() == [expected]


def test_whole_xywh_of_no_boxes():
    whole = to_whole_xywh(boxes_of(), 100, 50)
    assert (whole.shape, whole.dtype) == ((0, 4), np.int64)


def test_whole_xywh_keeps_order_and_leaves_its_input():
    boxes = boxes_of([1, 2, 3, 5], [-1, -1, 7, 9], [4, 4, 4, 4])
    before = boxes.copy()
    whole = to_whole_xywh(boxes, 6, 8)
    assert whole.dtype == np.int64
    assert whole.tolist() == [[1, 2, 2, 3], [0, 0, 6, 8], [4, 4, 1, 1]]
    np.testing.assert_array_equal(boxes, before)


@pytest.mark.parametrize('width, height', [(1, 1), (1, 10000), (10000, 1), (37, 23)])
def test_whole_boxes_lie_in_the_image(width, height):
    boxes = np.random.default_rng(0).normal(scale=2 * max(width, height), size=(500, 4)).astype(np.float32)
    x, y, w, h = to_whole_xywh(boxes, width, height).T
    assert min(x.min(), y.min()) >= 0 and min(w.min(), h.min()) >= 1
    assert (x + w).max() <= width and (y + h).max() <= height


@pytest.mark.parametrize(
    'box, other, expected',
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1),
        ([0, 0, 10, 10], [5, 0, 15, 10], 50 / 150),
        ([0, 0, 10, 10], [5, 5, 15, 15], 25 / 175),
        ([0, 0, 10, 10], [2, 2, 4, 7], 10 / 100),  # one inside the other
        ([0.5, 0.5, 1.5, 2.5], [1, 1, 2, 2], 0.5 / 2.5),
        ([-10, -10, 0, 0], [-5, -5, 5, 5], 25 / 175),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0),  # they only touch
        ([0, 0, 10, 10], [20, 20, 30, 30], 0),  # apart in both directions
        ([0, 0, 10, 10], [5, 5, 5, 9], 0),  # no width
        ([5, 5, 5, 5], [5, 5, 5, 5], 0),  # a point, with itself
        ([0, 0, 10, 10], [8, 8, 2, 2], 0),  # inverted
        ([0, 0, 10, 10], [NAN, 0, 10, 10], 0),
        ([0, 0, 1e5, 1e5], [0, 0, 1e5, 1e5], 1),
    ],
)
def test_iou_by_hand(box, other, expected):
    found = iou_matrix(boxes_of(box), boxes_of(other))
    assert found == pytest.approx(np.array([[expected]]), abs=1e-12)
    np.testing.assert_array_equal(iou_matrix(boxes_of(other), boxes_of(box)), found)


@pytest.mark.parametrize('count, others', [(0, 0), (0, 3), (3, 0)])
def test_iou_of_no_boxes(count, others):
    ious = iou_matrix(np.ones((count, 4), np.float32), np.ones((others, 4), np.float32))
    assert (ious.shape, ious.dtype) == ((count, others), np.float64)


def test_iou_counts_pixels():
    rng = np.random.default_rng(0)
    start = rng.integers(0, 10, (12, 2))
    boxes = np.concatenate([start, start + rng.integers(1, 8, (12, 2))], axis=1)
    masks = np.zeros((12, 20, 20), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[y1:y2, x1:x2] = True
    rows, columns = masks[:5, None], masks[None, 5:]
    expected = (rows & columns).sum((2, 3)) / (rows | columns).sum((2, 3))  # (5, 7)
    assert 0 < np.count_nonzero(expected) < expected.size
    np.testing.assert_allclose(iou_matrix(boxes[:5].astype(np.float32), boxes[5:].astype(np.float32)), expected)


@pytest.mark.parametrize('labels, expected', [([], [0, 0, 0]), ([0, 0, 2], [2, 0, 1]), ([2, 0, 2, 2], [1, 0, 3])])
def test_class_counts(labels, expected):
    assert class_counts(np.array(labels, np.int64), 3).tolist() == expected


@pytest.mark.parametrize('class_scores', [False, True])
@pytest.mark.parametrize(
    'index, kept',
    [
        (np.zeros(3, bool), []),
        (np.array([], np.int64), []),
        (np.array([True, False, True]), [0, 2]),
        (np.array([2, 0]), [2, 0]),
        (np.ones(3, bool), [0, 1, 2]),
    ],
    ids=['none', 'no positions', 'mask', 'positions', 'all'],
)
def test_select(class_scores, index, kept):
    scores_of_classes = np.array([[0.2, 0.9], [0.5, 0.3], [0.0, 0.1]], np.float32) if class_scores else None
    scores, labels = np.array([0.9, 0.5, 0.1], np.float32), np.array([1, 0, 1])
    whole = Detections(np.arange(12, dtype=np.float32).reshape(3, 4), scores, labels, scores_of_classes)
    chosen = whole.select(index)
    assert len(chosen) == len(kept)
    for name in ('boxes', 'scores', 'labels', *(['class_scores'] if class_scores else [])):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(whole, name)[kept])
    assert (chosen.class_scores is None) == (not class_scores)


@pytest.mark.parametrize('classes', [None, 1, 80])
def test_no_detections(classes):
    nothing = no_detections(classes)
    assert len(nothing) == len(nothing.select(nothing.scores >= 0.5)) == 0
    assert (nothing.boxes.shape, nothing.boxes.dtype) == ((0, 4), np.float32)
    assert (nothing.scores.shape, nothing.scores.dtype) == ((0,), np.float32)
    assert (nothing.labels.shape, nothing.labels.dtype) == ((0,), np.int64)
    if classes is None:
        assert nothing.class_scores is None
    else:
        assert (nothing.class_scores.shape, nothing.class_scores.dtype) == ((0, classes), np.float32)
