"""Verdicts, the exit status, the table and its JSON."""

from __future__ import annotations

import json

import pytest

from proof.table import Row, Verdict, as_json, counted, exit_status, fast_enough, judged, told


def row(verdict: Verdict) -> Row:
    return Row('inference', 'AP 0.5, the CPU 0.5', 'AP within 0.002 of the CPU', verdict, 12.34)


def test_what_does_not_hold_is_wrong_but_where_it_is_only_slow():
    assert judged('', True).verdict is fast_enough('', True).verdict is Verdict.PASSED
    assert judged('', False).verdict is Verdict.FAILED
    assert fast_enough('', False).verdict is Verdict.NOT_REACHED


@pytest.mark.parametrize(
    'verdicts, status',
    [
        ([], 0),
        ([Verdict.PASSED, Verdict.NOT_REACHED, Verdict.NOT_HERE], 0),
        ([Verdict.PASSED, Verdict.FAILED, Verdict.PASSED], 1),
    ],
)
def test_only_a_failure_is_an_exit_status(verdicts, status):
    rows = [row(verdict) for verdict in verdicts]
    assert exit_status(rows) == status
    assert as_json({}, 'cpu', rows)['passed'] is not bool(status)


def test_a_row_has_all_five_and_breaks_long_lines():
    lines = told(row(Verdict.NOT_REACHED))
    assert lines == [
        'not reached         inference, 12 s',
        '                    found: AP 0.5, the CPU 0.5',
        '                    goal:  AP within 0.002 of the CPU',
    ]
    long = Row('x', 'word ' * 30, '', Verdict.PASSED, 0)
    assert [len(line) <= 100 for line in told(long)] == [True] * 5


def test_verdicts_are_counted():
    rows = [row(Verdict.PASSED), row(Verdict.FAILED), row(Verdict.PASSED)]
    assert counted(rows) == '2 passed, 1 failed'


def test_json_has_the_rows_and_the_machine():
    found = json.loads(json.dumps(as_json({'torch': '2.13.0'}, 'cuda', [row(Verdict.FAILED)])))
    assert found == {
        'machine': {'torch': '2.13.0'},
        'device': 'cuda',
        'passed': False,
        'rows': [
            {
                'name': 'inference',
                'found': 'AP 0.5, the CPU 0.5',
                'goal': 'AP within 0.002 of the CPU',
                'verdict': 'failed',
                'seconds': 12.3,
            }
        ],
    }
