"""The picture grid: boxes where they belong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from executor.report.labels import class_colour
from executor.report.pictures import draw_grid, evenly_spaced, write_picture
from tests.unit.evaluation.cases import image

CAT, DOG = class_colour(0), class_colour(1)


@pytest.mark.parametrize(
    'count, wanted, expected', [(0, 3, []), (2, 3, [0, 1]), (3, 3, [0, 1, 2]), (10, 4, [0, 2, 5, 7])]
)
def test_evenly_spaced(count, wanted, expected):
    assert evenly_spaced(count, wanted) == expected


def test_boxes_of_any_size_can_be_drawn(tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.zeros((720, 960, 3), np.uint8))
    huge = [(0, 0.9, -1e30, -1e30, 1e30, 1e30), (0, 0.9, -np.inf, 5, np.inf, np.nan), (1, 0.9, 0, 0, 100, 100)]
    grid = draw_grid([(path, image(0, [(0, 0, 0, 1e30, 1e30)], huge))], ('cat', 'dog'), score_threshold=0.3)
    assert tuple(grid[28 + 49, 45]) == DOG  # the lower edge of the one that can be seen


def test_boxes_are_drawn_to_scale(tmp_path):
    """An image of 960 x 720 in a tile of 480 x 360 is halved: a box at 200 lies at 100, below the legend of 28."""
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.zeros((720, 960, 3), np.uint8))
    result = image(0, [(0, 200, 100, 400, 300)], [(1, 0.9, 600, 300, 800, 500), (0, 0.1, 100, 500, 200, 600)])
    grid = draw_grid([(path, result)], ('cat', 'dog'), score_threshold=0.3)
    assert grid.shape == (28 + 360, 480, 3)
    tile = grid[28:]
    assert tuple(tile[100, 100]) == tuple(tile[101, 101]) == CAT != DOG
    assert tuple(tile[200, 300]) == DOG and tuple(tile[200, 302]) == (0, 0, 0)
    assert tuple(tile[275, 50]) == (0, 0, 0)  # the prediction below the threshold is not drawn
    assert write_picture(tmp_path / 'grid.jpg', lambda: grid)
    assert cv2.imread(str(tmp_path / 'grid.jpg')).shape == grid.shape
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.png', 'grid.jpg']


def test_images_of_any_shape_can_be_drawn(tmp_path):
    sizes = [(1, 5000), (5000, 1), (1, 1), (40000, 2)]
    for number, (width, height) in enumerate(sizes):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.zeros((height, width, 3), np.uint8))
    shown = [
        (tmp_path / f'{n}.png', image(n, [(0, 0, 0, *size)], [(1, 0.9, 0, 0, *size)])) for n, size in enumerate(sizes)
    ]
    grid = draw_grid(shown, ('cat', 'dog'), score_threshold=0.3)
    assert grid.shape[1:] == (4 * 480, 3) and 28 + 200 <= grid.shape[0] <= 28 + 640


def test_a_picture_that_cannot_be_drawn_is_a_warning(tmp_path, caplog):
    result = image(0, true=[], predicted=[])
    assert not write_picture(tmp_path / 'grid.jpg', lambda: draw_grid([(tmp_path / 'gone.png', result)], ('cat',), 0.5))
    assert 'grid.jpg could not be drawn' in caplog.text and 'gone.png' in caplog.text
    assert not (tmp_path / 'grid.jpg').exists()
