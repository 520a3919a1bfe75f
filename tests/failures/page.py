"""Write docs/failures.md, every case of the matrix with what its user is told: `make failures-page` runs them all."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import pytest

from tests.conftest import REPOSITORY
from tests.failures.case import Case, Told
from tests.failures.cases import AREAS

FILE = REPOSITORY / 'docs' / 'failures.md'

_HEAD = """# What a failed task tells

Each row is a task that was broken on purpose and run. Code and message are what the platform shows; the message is also
the last line of the log. Paths are those of a task in `/in` and `/out`. `make failures-page` writes this page.
"""
_COLUMNS = '| what is wrong | task | code | message |\n|---|---|---|---|\n'


class Collector:
    """A plugin of pytest that keeps what each case told."""

    def __init__(self) -> None:
        self.found: Dict[str, Told] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        told = dict(report.user_properties)
        if report.when == 'call' and 'case' in told:
            self.found[told['case']] = Told(told['code'], told['message'])


def all_cases() -> List[Case]:
    return [case for cases in AREAS.values() for case in cases]


def text(found: Mapping[str, Told]) -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for area, cases in AREAS.items():
        rows = ''.join(_row(case, found[case.what]) for case in cases)
        parts.append(f'## {area}\n\n{_COLUMNS}{rows}')
    return '\n'.join(parts)


def rows_of(page: str) -> Dict[str, Tuple[str, ...]]:
    """Return the rows of a page by the first column, the other columns as they stand."""
    lines = [line for line in page.splitlines() if line.startswith('| ')]
    rows = [[cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]] for line in lines]
    return {row[0]: tuple(row[1:]) for row in rows if row[0] != 'what is wrong'}


def first_cell(case: Case) -> str:
    """Return the case in words: names, paths, files and options as code, the rest as prose."""
    return re.sub(r'[^\s,:;]*([_/<>*|]|--|\w\.\w)[^\s,:;]*', lambda name: code(name.group()), case.what)


def code(words: str) -> str:
    """Return a code span for the cell of a table, in which nothing is markup but `|`; control characters as escapes."""
    words = re.sub(r'[\x00-\x1f]', lambda char: f'\\x{ord(char.group()):02x}', words)
    mark = '`' * (1 + max(map(len, re.findall('`+', words)), default=0))
    pad = ' ' if words[:1] == '`' or words[-1:] == '`' else ''
    escaped = words.replace('|', r'\|')
    return f'{mark}{pad}{escaped}{pad}{mark}'


def _row(case: Case, told: Told) -> str:
    return f'| {first_cell(case)} | {case.task} | {told.code} | {code(_without_numbers(told.message))} |\n'


def _without_numbers(message: str) -> str:
    """Leave out losses, which depend on the machine."""
    return re.sub(r'\b(loss\w*|rate|lr)( |=)[-+.\w]*\d[-+.\w]*', r'\1\2…', message)


def main() -> int:
    """Run the whole matrix and write the page where every case told something; returns pytest's exit status."""
    collector = Collector()
    status = pytest.main([str(Path(__file__).parent / 'test_matrix.py'), '-q'], plugins=[collector])
    lost = [case.what for case in all_cases() if case.what not in collector.found]
    if lost:
        print(f'{FILE.name} is as it was: {"; ".join(lost)} did not run')
        return int(status) or 1
    FILE.write_text(text(collector.found), encoding='utf-8')
    return int(status)


if __name__ == '__main__':
    sys.exit(main())
