"""Which cells and anchors learn from a box: by hand, and for many boxes by the rule written anew, one by one."""

from __future__ import annotations

import math

import pytest
import torch

from executor.models.yolov5.targets import TrueBoxes, least_of_each, targets_of


def truth(*boxes) -> TrueBoxes:
    count = len(boxes)
    return TrueBoxes(torch.arange(count), torch.arange(count) + 5, torch.tensor(boxes, dtype=torch.float32).view(-1, 4))


def places(targets) -> set[tuple[int, ...]]:
    """(image, anchor, y, x) of each."""
    found = list(zip(*(part.tolist() for part in targets[:4])))
    assert len(found) == len(set(found))
    return set(found)


def test_one_box_by_hand():
    """At stride 8, the centre (20, 34) is in the middle of column 2 and in the upper half of row 4: 3 learns, too."""
    box = (10, 24, 30, 44)  # 20 x 20
    anchors = torch.tensor([[20.0, 20.0], [6.0, 20.0], [5.0, 20.0], [81.0, 20.0]])  # 1, 3.3, 4 and 4.05 times
    found = targets_of(truth(box), anchors, 8, (8, 8), 4.0)
    assert places(found) == {(0, 0, 4, 2), (0, 1, 4, 2), (0, 0, 3, 2), (0, 1, 3, 2)}
    assert found.boxes.tolist() == [list(map(float, box))] * 4 and found.label.tolist() == [5] * 4


@pytest.mark.parametrize(
    'centre, cells',
    [
        ((20.0, 20.0), {(2, 2)}),  # in the middle of a cell
        ((21.0, 20.0), {(2, 2), (2, 3)}),
        ((19.0, 21.0), {(2, 2), (2, 1), (3, 2)}),
        ((1.0, 1.0), {(0, 0)}),  # nothing is left of it or above
        ((39.0, 23.0), {(2, 4), (3, 4)}),
        ((40.0, 40.0), {(4, 4)}),  # at the very end
    ],
)
def test_cells_by_hand(centre, cells):
    x, y = centre
    found = targets_of(truth((x - 4, y - 4, x + 4, y + 4)), torch.tensor([[8.0, 8.0]]), 8, (5, 5), 4.0)
    assert {place[2:] for place in places(found)} == cells


def test_no_boxes():
    found = targets_of(truth(), torch.tensor([[8.0, 8.0]]), 8, (5, 5), 4.0)
    assert all(len(part) == 0 for part in found)


@pytest.mark.parametrize('stride', [8, 16, 32])
def test_many_boxes_as_by_the_rule(stride):
    generator = torch.Generator().manual_seed(stride)
    corners = torch.rand(50, 2, generator=generator) * 200
    boxes = torch.cat([corners, corners + 2 + torch.rand(50, 2, generator=generator) * 54], dim=1)
    anchors = torch.tensor([[10.0, 13.0], [30.0, 20.0], [60.0, 90.0]])
    height = width = 256 // stride
    expected = set()
    for image, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        for anchor, (w, h) in enumerate(anchors.tolist()):
            ratios = [(x2 - x1) / w, (y2 - y1) / h]
            if max(*ratios, *(1 / ratio for ratio in ratios)) >= 4:
                continue
            x, y = (x1 + x2) / 2 / stride, (y1 + y2) / 2 / stride
            cells = {(math.floor(y), math.floor(x))}
            cells |= {(math.floor(y), math.floor(x + move)) for move in (-0.5, 0.5)}
            cells |= {(math.floor(y + move), math.floor(x)) for move in (-0.5, 0.5)}
            expected |= {(image, anchor, r, c) for r, c in cells if 0 <= r < height and 0 <= c < width}
    found = targets_of(truth(*boxes.tolist()), anchors, stride, (height, width), 4.0)
    assert places(found) == expected and len(expected) > 50


@pytest.mark.parametrize(
    'places, losses, expected',
    [
        ([], [], []),
        ([4], [0.5], [0]),
        ([4, 2, 4, 4, 2], [0.5, 0.1, 0.2, 0.3, 0.9], [1, 2]),
        ([1, 2, 3], [0.3, 0.2, 0.1], [0, 1, 2]),
    ],
)
def test_no_place_is_written_twice(places, losses, expected):
    """On a GPU nobody knows which of several writes to one place counts."""
    chosen = least_of_each(torch.tensor(places, dtype=torch.long), torch.tensor(losses))
    assert sorted(chosen.tolist()) == expected
