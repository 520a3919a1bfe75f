"""How many loading workers fit into /dev/shm."""

from __future__ import annotations

import pytest

from executor.machine.shared_memory import shared_memory_for, workers_that_fit

MB = 2**20


# 0.85 of the free memory holds the batches in the making and the two that the training loop holds.
@pytest.mark.parametrize(
    'wanted, batch_mb, free_mb, expected',
    [
        (0, 10, 1000, (0, 0)),
        (4, 10, 16000, (4, 2)),
        (4, 9.4, 64, (3, 1)),  # 54.4 / 9.4 = 5 batches, 2 held: docker's 64 MB, batch of 8 at 640
        (1, 9.4, 64, (1, 2)),
        (4, 18.8, 64, (0, 0)),  # a batch of 16: 2 batches, both held
        (4, 100, 64, (0, 0)),
        (2, 10, 60, (2, 1)),  # 5 batches, 3 for workers: not two each
        (2, 10, 71, (2, 2)),
    ],
)
def test_workers_that_fit(wanted, batch_mb, free_mb, expected):
    assert workers_that_fit(wanted, int(batch_mb * MB), free_mb * MB) == expected


def test_the_memory_asked_for_is_what_the_workers_fit_into():
    needed = shared_memory_for(7, 10 * MB, ranks=1, use_gpu=True)
    assert needed == pytest.approx(16 * 10 * MB / 0.85, abs=1)
    assert workers_that_fit(7, 10 * MB, needed) == (7, 2)
    assert workers_that_fit(7, 10 * MB, needed - MB) == (7, 1)
    assert shared_memory_for(7, 10 * MB, ranks=4, use_gpu=False) == 4 * needed
    assert shared_memory_for(7, 10 * MB, ranks=4, use_gpu=True) == 4 * (needed + 32 * MB)  # NCCL takes some
