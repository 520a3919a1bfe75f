"""How large an image a pipeline makes, and the workers that /dev/shm has room for."""

from __future__ import annotations

import pytest

from executor.training.workers import Loading, image_bytes


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


MB = 2**20
PLENTY = 2**40


def loading(workers, cores, free=PLENTY, batch=20 * MB, ranks=1, use_gpu=True):
    return Loading(workers, cores, batch, free, ranks, use_gpu)


@pytest.mark.parametrize(
    'given, waiting, expected',
    [
        # 4 workers keep it busy for half of the time, so 8 would for all of it.
        (loading(4, 64), 0.5, 'set workers_per_gpu to 8 (used: 4, cores a GPU: 64)'),
        (loading(4, 64), 0.25, 'set workers_per_gpu to 6 (used: 4, cores a GPU: 64)'),  # 5.33
        (loading(4, 6), 0.5, 'set workers_per_gpu to 6 (used: 4, cores a GPU: 6)'),
        (loading(4, 6), 1.0, 'set workers_per_gpu to 6 (used: 4, cores a GPU: 6)'),
        # The training loads them itself, three times as long as it trains.
        (loading(0, 64), 0.75, 'set workers_per_gpu to 3 (used: 0, cores a GPU: 64)'),
        (loading(4, 4), 0.5, 'all 4 cores a GPU load them: give the container more cores'),
        (loading(8, 4), 0.5, 'all 4 cores a GPU load them: give the container more cores'),
        # A CPU trains and loads on the same cores.
        (loading(1, 8, use_gpu=False), 0.5, 'set workers_per_gpu to 2 (used: 1, cores: 8)'),
        (loading(2, 2, use_gpu=False), 0.5, None),
        # (2 * 50 + 2) batches of 20 MB and 32 MB for NCCL, on each of two ranks, in 0.85 of the memory.
        (
            loading(1, 64, free=80 * MB, ranks=2),
            0.98,
            '/dev/shm has no room for more workers: raise shm_size (docker run --shm-size) to 5G and set '
            'workers_per_gpu to 50 (used: 1, cores a GPU: 64)',
        ),
        (
            loading(0, 2, free=20 * MB, use_gpu=False),
            0.5,
            '/dev/shm has no room for more workers: raise shm_size (docker run --shm-size) to 1G and set '
            'workers_per_gpu to 1 (used: 0, cores: 2)',
        ),
    ],
)
def test_advice_against_waiting(given, waiting, expected):
    assert given.advice(waiting) == expected
