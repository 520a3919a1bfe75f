"""What a terminal shows: the bar, the table of a log, the counts."""

from __future__ import annotations

import io

from desk.progress import Bar
from desk.results import _last_table
from desk.tables import class_counts_table, left_out_lines
from executor.contract.annotations.records import Tally


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_drawn_over_itself_and_taken_away(monkeypatch):
    monkeypatch.setenv('COLUMNS', '70')
    terminal, now = Terminal(), iter([0.0, 0.0, 0.0, 30.0])
    monkeypatch.setattr('time.monotonic', lambda: next(now))
    bar = Bar(terminal)
    with bar.told('task'):
        bar.update(0.25, 'epoch 1 of 4 and more than there is room for')
    drawn = terminal.getvalue().split('\r')
    assert drawn[1].startswith('task [' + ' ' * 30 + ']   0% 0s')
    assert drawn[2].startswith('task [#######' + ' ' * 23 + ']  25% 30s, 1m30s left  epoch')
    assert len(drawn[2]) == 69
    assert drawn[3:] == [' ' * 69, '']


def test_a_log_gets_a_line_a_minute(monkeypatch):
    stream, now = io.StringIO(), iter([0.0, 0.0, 0.0, 30.0, 65.0, 70.0, 130.0])
    monkeypatch.setattr('time.monotonic', lambda: next(now))
    bar = Bar(stream)
    with bar.told('task'):
        for fraction in (0.1, 0.25, 0.3, 0.5):
            bar.update(fraction, 'epoch 1')
    assert stream.getvalue() == 'task  25% 1m05s, 3m15s left  epoch 1\ntask  50% 2m10s, 2m10s left  epoch 1\n'


def test_the_last_table_of_a_log():
    time = '2026-01-01 10:00:00'
    log = f'a\n+---+\n| 1 |\n+---+\n{time} INFO per class:\n+---+\n| 2 |\n+---+\n{time} INFO end\n'
    assert _last_table(log) == ['per class:', '+---+', '| 2 |', '+---+']
    assert _last_table('no table\n') == []


def test_a_table_of_many_classes_is_bounded():
    names = [f'class {number}' for number in range(40)]
    lines = class_counts_table(names, ['boxes'], [[1] * 40], [40]).splitlines()
    assert len(lines) == 4 + 30 + 2
    assert '| and 10 more |' in lines[-3] and '| all         |    40 |' in lines[-2]


def test_reasons_are_bounded():
    tally = Tally()
    for number in range(12):
        tally.leave_out(f'reason {number}', 'here')
    tally.leave_out('reason 7', 'there')
    lines = left_out_lines('boxes', tally)
    assert lines[0] == '  2 boxes: reason 7, first here'
    assert len(lines) == 11 and lines[-1] == '  and for 2 more reasons'
