"""Anchors fitted to boxes: clusters that are plain to see, how well they fit, and where they go."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

from demo import shapes
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.errors import ConfigError
from executor.training.anchors import by_level, cluster_sizes, fit_of, size_iou
from executor.training.build_config import build_config

YOLOV3 = 'configs/yolov3/yolov3_d53_8x8_273e_coco.py'


def test_iou_of_sizes_by_hand():
    # 10 x 10 in 20 x 20; 40 x 5 crosses 10 x 10 in 10 x 5.
    found = size_iou(np.array([[10.0, 10]]), np.array([[10.0, 10], [20, 20], [40, 5]]))
    np.testing.assert_allclose(found, [[1, 0.25, 50 / (100 + 200 - 50)]])


def test_clusters_that_are_plain_to_see():
    rng = np.random.default_rng(0)
    middles = np.array([[10.0, 20], [60, 30], [100, 100], [30, 200]])
    boxes = np.concatenate([middle + rng.uniform(-2, 2, (50, 2)) for middle in middles])
    rng.shuffle(boxes)
    found = cluster_sizes(boxes, 4)
    by_area = middles[np.argsort(middles.prod(axis=1))]
    np.testing.assert_allclose(found, by_area, atol=0.6)


@pytest.mark.parametrize('count', [1, 3, 9])
def test_boxes_of_one_size(count):
    np.testing.assert_allclose(cluster_sizes(np.full((9, 2), 7.0), count), np.full((count, 2), 7.0))


def test_the_fit_by_hand():
    boxes = np.array([[10.0, 10], [20, 20], [10, 40]])
    assert fit_of(boxes, np.array([[10.0, 10], [10, 30]])) == pytest.approx(((1 + 200 / 500 + 0.75) / 3, 2 / 3))


@pytest.mark.parametrize('strides', [[32, 16, 8], [(32, 32), (16, 16), (8, 8)]])
def test_small_anchors_go_to_fine_levels(strides):
    anchors = np.array([[n, n] for n in range(1, 7)], np.float64)
    assert by_level(anchors, strides, [1, 2, 3]) == [[(6, 6)], [(4, 4), (5, 5)], [(1, 1), (2, 2), (3, 3)]]


@pytest.fixture
def build(tmp_path):
    def build(images=12, **values):
        values = {'config_file': YOLOV3, 'anchors': 'auto', **values}
        job = read_job(read_env(shapes.write_task(tmp_path, images, 1, **values)))
        return build_config(job.env, job.training, images, ranks=1)

    return build


def told_fits(text: str) -> list[float]:
    return [float(mean) for mean in re.findall(r'mean IoU (0\.\d+)', text)]


def test_the_config_gets_the_anchors_and_the_log_both_fits(build, caplog):
    with caplog.at_level(logging.INFO):
        large, small = build(), build(cfg_options='test_dataloader.dataset.pipeline.1.scale=(304,304)')
    before, after = told_fits(caplog.text)[:2]
    assert 0.3 < before < after - 0.1 and after > 0.75
    levels = large.model.bbox_head.anchor_generator.base_sizes
    assert [len(level) for level in levels] == [3, 3, 3]
    areas = [width * height for level in levels[::-1] for width, height in level]
    assert areas == sorted(areas)
    # Shapes have 23 to 96 pixels of 320, and are about as wide as they are high: 44 to 182 of 608.
    assert all(
        40 < side < 190 and 0.8 < width / height < 1.25
        for level in levels
        for width, height in level
        for side in (width, height)
    )
    halves = np.array(small.model.bbox_head.anchor_generator.base_sizes) * 2
    np.testing.assert_allclose(halves, levels, atol=2)


def test_anchors_that_fit_as_well_stay(build, caplog):
    fitted = build().model.bbox_head.anchor_generator.base_sizes
    text = str([[tuple(size) for size in level] for level in fitted]).replace(' ', '')
    with caplog.at_level(logging.INFO):
        again = build(cfg_options=f'model.bbox_head.anchor_generator.base_sizes={text}')
    assert 'are no better' in caplog.text
    assert again.model.bbox_head.anchor_generator.base_sizes == fitted


def test_too_few_boxes_change_nothing(build, caplog):
    config = build(images=1)
    assert 'boxes are too few to fit 9 anchors to' in caplog.text
    assert config.model.bbox_head.anchor_generator.base_sizes[0][0] == (116, 90)


@pytest.mark.parametrize(
    'config_file', ['configs/yolox/yolox_nano_8x8_300e_coco.py', 'configs/retinanet/retinanet_r50_fpn_1x_coco.py']
)
def test_other_detectors_are_refused(build, config_file):
    with pytest.raises(ConfigError, match='anchors: auto is for detectors whose anchors are given by size.*leave it'):
        build(config_file=config_file)


def test_the_anchors_of_the_config_are_usual(build):
    config = build(anchors='config')
    assert config.model.bbox_head.anchor_generator.base_sizes[0][0] == (116, 90)
