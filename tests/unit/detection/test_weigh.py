"""How much each class counts: the user's weights, those of difficulty, or both."""

from __future__ import annotations

import logging

import pytest

from executor.contract.errors import ParameterError
from executor.detection.weigh import weigh_classes
from tests.support.refusal import refusal
from tests.support.task_folder import TaskFolder

HALF, NONE = 1.160514, 1.2  # of an AP of 0.5 and of 0, see tests/unit/mining/test_class_weights.py


@pytest.mark.parametrize(
    'given, class_weights, expected',
    [
        ('', 'none', ()),
        ('3,0.5', 'none', (3, 0.5, 1)),
        ('', 'difficulty', (1, HALF, NONE)),
        ('3,0.5', 'difficulty', (3, 0.5 * HALF, NONE)),
        ('0,0,2', 'difficulty', (0, 0, 2 * NONE)),
    ],
)
def test_both_multiply_and_what_is_not_given_is_one(ymir_task: TaskFolder, caplog, given, class_weights, expected):
    caplog.set_level(logging.INFO)
    values = {'class_names': ['a', 'b', 'c'], 'class_distribution_scores': given, 'class_weights': class_weights}
    weights = weigh_classes(ymir_task.job('mining', **values).mining, (1.0, 0.5, 0.0))
    assert weights == pytest.approx(expected, abs=1e-6) and isinstance(weights, tuple)
    assert ('classes count by their weights: a ' in caplog.text) == bool(expected)
    assert class_weights != 'difficulty' or given or 'a 1, b 1.16, c 1.2' in caplog.text


def test_a_model_that_records_no_ap_is_refused_only_where_it_is_asked_for(ymir_task: TaskFolder):
    params = ymir_task.job('mining', class_distribution_scores='2').mining
    assert weigh_classes(params, None)[0] == 2
    params = ymir_task.job('mining', class_weights='difficulty').mining
    told = refusal(ParameterError, weigh_classes, params, None)
    assert 'class_weights difficulty needs the AP of each class, which this model does not record' in told
