"""The outcome of proofs: a row each, as a table to read and as JSON."""

from __future__ import annotations

import enum
import textwrap
from dataclasses import dataclass
from typing import Dict, List, Mapping, NamedTuple, Sequence

_WIDTH = 66  # letters of what was found and its goal, a line


class Verdict(enum.Enum):
    """What a proof came to."""

    PASSED = 'passed'
    FAILED = 'failed'
    NOT_REACHED = 'not reached'  # a goal of speed, which says nothing of results
    NOT_HERE = 'not on this machine'


class Outcome(NamedTuple):
    """What a proof found."""

    found: str
    verdict: Verdict


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    found: str
    goal: str
    verdict: Verdict
    seconds: float


def judged(found: str, holds: bool) -> Outcome:
    """Pass where the goal holds, else fail."""
    return Outcome(found, Verdict.PASSED if holds else Verdict.FAILED)


def fast_enough(found: str, holds: bool) -> Outcome:
    """Pass where a goal of speed holds; else it is not reached, and nothing is wrong."""
    return Outcome(found, Verdict.PASSED if holds else Verdict.NOT_REACHED)


def exit_status(rows: Sequence[Row]) -> int:
    """Give 1 where something is wrong."""
    return int(any(row.verdict is Verdict.FAILED for row in rows))


def told(row: Row) -> List[str]:
    """Write a row: verdict, name and seconds, what was found and the goal below."""
    lines = [f'{row.verdict.value:20}{row.name}, {row.seconds:.0f} s']
    for word, text in (('found', row.found), ('goal', row.goal)):
        first, *more = textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False) or ['']
        lines += [f'{"":20}{word + ":":7}{first}', *(f'{"":27}{line}' for line in more)]
    return lines


def counted(rows: Sequence[Row]) -> str:
    """Count the rows of each verdict, in a line."""
    counts = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    return ', '.join(f'{count} {verdict.value}' for verdict, count in counts.items() if count)


def as_json(machine: Mapping[str, object], device: str, rows: Sequence[Row]) -> Dict[str, object]:
    """Give all of it for `json.dump`."""
    return {
        'machine': dict(machine),
        'device': device,
        'passed': not exit_status(rows),
        'rows': [{**vars(row), 'verdict': row.verdict.value, 'seconds': round(row.seconds, 1)} for row in rows],
    }
