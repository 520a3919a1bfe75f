"""The table of a validation's numbers per class."""

from __future__ import annotations

from typing import Sequence

from terminaltables import AsciiTable

from executor.report.evaluation import ClassResult


def class_table(classes: Sequence[ClassResult]) -> str:
    """A text table, a row a class: true boxes, AP50, AP, recall, tp, fp, fn."""
    rows = [['class', 'true boxes', 'AP50', 'AP', 'recall', 'tp', 'fp', 'fn']]
    for c in classes:
        rows.append(
            [c.name, str(c.true_boxes), *(f'{v:.3f}' for v in (c.ap_50, c.ap, c.recall)), *map(str, (c.tp, c.fp, c.fn))]
        )
    table = AsciiTable(rows)
    for column in range(1, len(rows[0])):
        table.justify_columns[column] = 'right'
    return table.table
