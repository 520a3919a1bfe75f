"""Write tables of numbers per class."""

from __future__ import annotations

from typing import List, Sequence

from terminaltables import AsciiTable

from executor.evaluation.coco import ClassResult

_MOST_ROWS = 30


def class_table(classes: Sequence[ClassResult]) -> str:
    """Write a text table, a row a class: true boxes, AP50, AP; precision, recall, F1 at the model's best threshold."""
    rows = [['class', 'true boxes', 'AP50', 'AP', 'precision', 'recall', 'F1']]
    for c in classes:
        at = c.at_best
        shares = [c.ap_50, c.ap, *([at.precision, at.recall, at.f1] if at else [])]
        rows.append([c.name, str(c.true_boxes), *(f'{share:.3f}' for share in shares), *([] if at else ['-'] * 3)])
    return _text(rows)


def box_table(class_names: Sequence[str], boxes: Sequence[int], images: Sequence[int]) -> str:
    """Write a text table of what an inference found: a row a class that has boxes, most boxes first."""
    found = [row for row in zip(class_names, boxes, images) if row[1]]
    found.sort(key=lambda row: -row[1])
    rows = [['class', 'boxes', 'images with it'], *([name, str(n), str(m)] for name, n, m in found[:_MOST_ROWS])]
    table = _text(rows)
    left = found[_MOST_ROWS:]
    return table + (f'\nand {sum(row[1] for row in left)} boxes of {len(left)} more classes' if left else '')


def _text(rows: List[List[str]]) -> str:
    table = AsciiTable(rows)
    for column in range(1, len(rows[0])):
        table.justify_columns[column] = 'right'
    return table.table
