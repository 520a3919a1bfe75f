"""How many loading workers fit into /dev/shm."""

from __future__ import annotations

import pytest

from executor.machine.shared_memory import Workers, fit_workers, image_bytes

MB = 2**20


# 0.85 of the free memory holds the batches in the making and the two that the training loop holds.
@pytest.mark.parametrize(
    'wanted, batch_mb, free_mb, expected',
    [
        (0, 10, 1000, Workers(0, None)),
        (4, 10, 16000, Workers(4, 2)),
        (4, 9.4, 64, Workers(3, 1)),  # 54.4 / 9.4 = 5 batches, 2 held: docker's 64 MB, batch of 8 at 640
        (1, 9.4, 64, Workers(1, 2)),
        (4, 18.8, 64, Workers(0, None)),  # a batch of 16: 2 batches, both held
        (4, 100, 64, Workers(0, None)),
        (2, 10, 60, Workers(2, 1)),  # 5 batches, 3 for workers: not two each
        (2, 10, 71, Workers(2, 2)),
    ],
)
def test_workers_that_fit(wanted, batch_mb, free_mb, expected):
    assert fit_workers(wanted, int(batch_mb * MB), free_mb * MB) == expected


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
