"""Random scores hang on seed and position only."""

from __future__ import annotations

import numpy as np

from mining.base import Candidates
from mining.random import RandomScorer


def test_a_score_depends_on_seed_and_position_not_on_the_batch():
    whole = RandomScorer(seed=3).score(Candidates(positions=range(50)))
    assert whole.dtype == np.float64
    assert whole.shape == (50,)
    parts = [RandomScorer(seed=3).score(Candidates(positions=part)) for part in ([7, 2], [49], [])]
    np.testing.assert_array_equal(np.concatenate(parts), whole[[7, 2, 49]])
    assert len(set(whole)) == 50
    assert not np.isin(whole, RandomScorer(seed=4).score(Candidates(positions=range(50)))).any()


def test_scores_are_uniform():
    scores = RandomScorer(seed=0).score(Candidates(positions=range(2000)))
    assert scores.min() >= 0
    assert scores.max() < 1
    counts = np.histogram(scores, bins=4, range=(0, 1))[0]
    assert abs(counts - 500).max() < 100  # five standard deviations


def test_the_draw_is_numpys_for_seed_and_position():
    expected = np.random.default_rng([5, 11]).random()
    assert RandomScorer(seed=5).score(Candidates(positions=[11]))[0] == expected
