"""The weights of classes by their difficulty, worked out by hand."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from mining.class_weights import difficulty_weights, weights_of


def test_weights_by_hand():
    """γ = exp(10 / 3) - 1 = 27.0316; of an AP of 0.5: ln(1 + 13.5158) = 2.67524, times 0.3 · 0.2."""
    weights = difficulty_weights(np.array([1, 0.5, 0]))
    np.testing.assert_allclose(weights, [1, 1.160514, 1.2], atol=1e-6)
    assert weights[1] == pytest.approx(1 + 0.06 * log(1 + (exp(10 / 3) - 1) / 2), rel=1e-14)


def test_a_lower_ap_weighs_more():
    assert (np.diff(difficulty_weights(np.linspace(0, 1, 101))) < 0).all()


def test_each_box_has_the_weight_of_its_class():
    labels = np.array([2, 0, 2], np.int64)
    assert weights_of(labels, (0.5, 1.0, 3.0)).tolist() == [3, 0.5, 3]
    assert weights_of(labels, ()).tolist() == [1, 1, 1]
    assert len(weights_of(labels[:0], (0.5,))) == len(weights_of(labels[:0], ())) == 0
