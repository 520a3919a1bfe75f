"""docs/failures.md: every case of the matrix with what its user is told."""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Mapping, NamedTuple, Tuple

from tests.conftest import REPOSITORY
from tests.failures.case import Case
from tests.failures.cases import AREAS

FILE = REPOSITORY / 'docs' / 'failures.md'

_HEAD = """# What a failed task tells

Each row is a task that was broken on purpose and run. Code and message are what the platform shows; the message is also
the last line of the log. Paths are those of a task in `/in` and `/out`. `pytest tests/failures` writes this page.
"""
_OPEN = 'A row in *italics* is not yet as it should be.\n'
_COLUMNS = '| what is wrong | task | code | message |\n|---|---|---|---|\n'


class Told(NamedTuple):
    """Code and message of one case."""

    code: str
    message: str


def all_cases() -> List[Case]:
    return [case for cases in AREAS.values() for case in cases]


def text(found: Mapping[str, Told]) -> str:
    """The whole page."""
    parts = [_HEAD] + ([_OPEN] if any(case.xfail for case in all_cases()) else [])
    for area, cases in AREAS.items():
        rows = ''.join(_row(case, found[case.id]) for case in cases)
        parts.append(f'## {area}\n\n{_COLUMNS}{rows}')
    return '\n'.join(parts)


def rows_of(page: str) -> Dict[str, Tuple[str, ...]]:
    """The rows of a page by the first column, the other columns as they stand."""
    lines = [line for line in page.splitlines() if line.startswith('| ')]
    cells = [re.split(r'(?<!\\)\|', line)[1:-1] for line in lines]
    return {
        row[0].strip(): tuple(cell.strip() for cell in row[1:]) for row in cells if row[0].strip() != 'what is wrong'
    }


def first_cell(case: Case) -> str:
    return f'*{_cell(case.what)}*' if case.xfail else _cell(case.what)


def _row(case: Case, told: Told) -> str:
    return f'| {first_cell(case)} | {case.task} | {told.code} | {_cell(_without_numbers(told.message))} |\n'


def _without_numbers(message: str) -> str:
    """Losses depend on the machine."""
    return re.sub(r'\b(loss\w*|rate|lr)( |=)[-+.\w]*\d[-+.\w]*', r'\1\2…', message)


def _cell(words: str) -> str:
    """As a cell of a table: nothing in it is markup."""
    return re.sub(r'([\\|<>*_`\[\]])', r'\\\1', words)


def doubled(names: Iterable[str]) -> List[str]:
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})
