"""Which stages stay on disk."""

from __future__ import annotations

import pytest

from executor.contract.output.training import Stage
from executor.mm.stages import TrainedStage, split_kept


def stages(*maps: float):
    return [TrainedStage(Stage(f'epoch_{n}', n, (), mAP, 0.0, 0, 0, 0, 0), ()) for n, mAP in enumerate(maps, start=1)]


@pytest.mark.parametrize(
    'maps, keep, kept',
    [
        ((), 1, []),
        ((0.1,), 1, [1]),
        ((0.5, 0.3, 0.4), 1, [1, 3]),  # the best and the latest
        ((0.5, 0.5, 0.4), 1, [2, 3]),  # of two equally good ones the later
        ((0.1, 0.5, 0.3, 0.4, 0.2, 0.1), 2, [2, 4, 5, 6]),
        ((0.5, 0.3, 0.4), 0, [1, 2, 3]),
        ((0.5, 0.3, 0.4), -1, [1, 2, 3]),
    ],
)
def test_split_kept(maps, keep, kept):
    left, dropped = split_kept(stages(*maps), keep)
    assert [trained.stage.epoch for trained in left] == kept
    assert sorted(t.stage.epoch for t in left + dropped) == list(range(1, len(maps) + 1))
