"""How large an image a pipeline makes, and the workers that /dev/shm has room for."""

from __future__ import annotations

import pytest

from executor.training.workers import image_bytes


@pytest.mark.parametrize(
    'pipeline, expected',
    [
        ([{'type': 'PackDetInputs'}], 1333 * 1333 * 3),
        ([{'type': 'Mosaic', 'img_scale': (640, 640)}, {'type': 'Resize', 'scale': (416, 416)}], 640 * 640 * 3),
        ([{'type': 'RandomChoiceResize', 'scales': [(1333, 640), (1333, 800)]}], 1333 * 800 * 3),
        ([{'type': 'Resize', 'scale': (300, 300)}, {'type': 'PhotoMetricDistortion'}], 300 * 300 * 3 * 4),
    ],
)
def test_the_largest_image_a_pipeline_makes(pipeline, expected):
    assert image_bytes(pipeline) == expected
