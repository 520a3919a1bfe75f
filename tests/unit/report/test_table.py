"""The table of classes."""

from __future__ import annotations

from executor.evaluation.coco import ClassResult
from executor.evaluation.thresholds import AtThreshold
from executor.report.table import class_table


def test_a_class_at_the_best_threshold_and_one_of_a_state_without_it():
    at = AtThreshold(0.4, 0.75, 0.5, 0.6)
    table = class_table([ClassResult('cat', 8, 0.25, 0.5, 7, 93, 1, at), ClassResult('dog', 2, 0, 0, 0, 0, 2)])
    assert [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines() if '|' in line] == [
        ['class', 'true boxes', 'AP50', 'AP', 'precision', 'recall', 'F1'],
        ['cat', '8', '0.500', '0.250', '0.750', '0.500', '0.600'],
        ['dog', '2', '0.000', '0.000', '-', '-', '-'],
    ]
