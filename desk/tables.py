"""Write what the commands count as tables and short lists for a terminal."""

from __future__ import annotations

from typing import List, Sequence

from terminaltables import AsciiTable

from executor.contract.annotations.records import Tally

_MOST_ROWS = 30


def class_counts_table(
    class_names: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]], totals: Sequence[int]
) -> str:
    """Write a row a class with its counts, (columns, classes), at most thirty; `totals` are a row of their own."""
    header = ['class', *columns]
    rows = [[name, *(str(column[label]) for column in counts)] for label, name in enumerate(class_names)]
    total = ['all', *map(str, totals)]
    left = [f'and {len(rows) - _MOST_ROWS} more'] + [''] * len(columns)
    rows = rows if len(rows) <= _MOST_ROWS else [*rows[:_MOST_ROWS], left]
    return aligned([header, *rows, total])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Write rows with a header, numbers to the right."""
    table = AsciiTable([list(row) for row in rows])
    for column in range(1, len(rows[0])):
        table.justify_columns[column] = 'right'
    text: str = table.table
    return text


def left_out_lines(what: str, tally: Tally) -> List[str]:
    """Write a line a reason for what is left out, with the first case; the commonest reasons first."""
    found = tally.left_out.most_common()
    lines = [f'  {count} {what}: {reason}, first {tally.first[reason]}' for reason, count in found[:10]]
    return lines + ([f'  and for {len(found) - 10} more reasons'] if len(found) > 10 else [])
