from __future__ import annotations

import errno
import os

import pytest

from executor.contract.output import monitor as monitor_module
from executor.contract.output.monitor import Monitor
from tests.support.task_folder import names_in

BEGIN = 't1\t1663934682.123457\t'


@pytest.fixture
def monitor(tmp_path) -> Monitor:
    return Monitor(tmp_path / 'monitor.txt', 't1', clock=lambda: 1663934682.1234567)


@pytest.mark.parametrize(
    'percents, written',
    [([0], '0.00'), ([0.25], '0.25'), ([1.0], '1.00'), ([0.1, 0.2, 0.3], '0.30')],  # one record, replaced
)
def test_running(tmp_path, monitor, percents, written):
    for percent in percents:
        monitor.running(percent)
    assert (tmp_path / 'monitor.txt').read_text() == f'{BEGIN}{written}\t2\n'
    assert names_in(tmp_path) == ['monitor.txt']


@pytest.mark.parametrize(
    'before, code, message, traceback, record',
    [
        (None, 160004, '', '', '0.00\t4\t160004\t\n'),
        (None, 300001, 'no class', '', '0.00\t4\t300001\tno class\n'),
        (0.5, 300001, 'no class', '', '0.50\t4\t300001\tno class\n'),
        (1.0, 300001, 'no class', '', '1.00\t4\t300001\tno class\n'),
        (0.25, 3, 'out of memory: set a', 'In:\n  E', '0.25\t4\t3\tout of memory: set a\nIn:\n  E\n'),
        (0.0, 300002, 'Größe', 'é', '0.00\t4\t300002\tGröße\né\n'),
    ],
)
def test_failed(tmp_path, monitor, before, code, message, traceback, record):
    if before is not None:
        monitor.running(before)
    monitor.failed(code, message, traceback)
    assert (tmp_path / 'monitor.txt').read_bytes() == f'{BEGIN}{record}'.encode()
    assert names_in(tmp_path) == ['monitor.txt']


@pytest.mark.parametrize(
    'content, percent',
    [
        *((content, '0.00') for content in (b'', b'torn', b'\xff\xfe')),
        *((b't1\t1\t%s\t2\n' % percent, '0.00') for percent in (b'x', b'nan', b'-3')),
        (b't1\t1\t7\t2\n', '1.00'),
        (b't1\t1\t0.75\t2\n', '0.75'),  # the platform's own record, or that of another process of the task
    ],
)
def test_failed_keeps_the_percent_that_stands_in_the_file(tmp_path, monitor, content, percent):
    (tmp_path / 'monitor.txt').write_bytes(content)
    monitor.failed(1, 'm', '')
    assert (tmp_path / 'monitor.txt').read_text() == f'{BEGIN}{percent}\t4\t1\tm\n'


def test_a_message_that_cannot_be_encoded_is_still_told(tmp_path, monitor):
    """`"\\ud83d\\ude00"`, an emoji as JSON writes it, is read by YAML as two characters that UTF-8 does not have."""
    monitor.failed(300001, 'found \ud83d\ude00', 'also \udcff')
    assert (tmp_path / 'monitor.txt').read_text().startswith(f'{BEGIN}0.00\t4\t300001\tfound ')
    assert names_in(tmp_path) == ['monitor.txt']


def fail_from_now_on(monkeypatch, number: int) -> None:
    """No file beside monitor.txt can be written, for this reason."""

    def replace_file(path, text):
        raise OSError(number, 'no')

    monkeypatch.setattr(monitor_module, 'replace_file', replace_file)


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize('message', ['the disk is full', 'found \ud83d\ude00'])
def test_on_a_full_disk_the_record_is_written_in_place(tmp_path, monitor, monkeypatch, number, message):
    monitor.running(0.25)
    same = (tmp_path / 'monitor.txt').stat().st_ino
    fail_from_now_on(monkeypatch, number)
    monitor.failed(160004, message, 'Traceback:\n' * 100)
    record, end = (tmp_path / 'monitor.txt').read_text().split('\n')  # without the traceback, which may not fit
    assert record.startswith(f'{BEGIN}0.25\t4\t160004\t{message[:6]}')
    assert end == ''
    assert (tmp_path / 'monitor.txt').stat().st_ino == same
    assert names_in(tmp_path) == ['monitor.txt']


def test_in_place_a_shorter_record_leaves_nothing_of_the_longer_one(tmp_path, monitor, monkeypatch):
    monitor.failed(300001, 'a long message', 'Traceback:\n' * 50)
    fail_from_now_on(monkeypatch, errno.ENOSPC)
    monitor.running(0.5)
    assert (tmp_path / 'monitor.txt').read_bytes() == f'{BEGIN}0.50\t2\n'.encode()


@pytest.mark.parametrize('number', [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
def test_where_no_file_can_be_made_the_whole_record_is_written_in_place(tmp_path, monitor, monkeypatch, number):
    """Such as where monitor.txt alone is mounted, into a folder of somebody else's."""
    monitor.running(0.25)
    fail_from_now_on(monkeypatch, number)
    monitor.failed(1, 'm', 'In:\n  E\n')
    assert (tmp_path / 'monitor.txt').read_bytes() == f'{BEGIN}0.25\t4\t1\tm\nIn:\n  E\n'.encode()


@pytest.mark.parametrize('number', [errno.EACCES, errno.ENOSPC])
@pytest.mark.parametrize('name', ['', 'folder'])
def test_what_cannot_be_written_at_all_is_an_error(tmp_path, monitor, monkeypatch, number, name):
    """The first one, not that of the second try."""
    if name:
        (tmp_path / 'monitor.txt').mkdir()
    fail_from_now_on(monkeypatch, number)
    with pytest.raises(OSError) as caught:
        monitor.failed(1, 'm', '')
    assert caught.value.errno == number


def test_a_pipe_that_nobody_writes_is_not_read(tmp_path, monitor):
    os.mkfifo(tmp_path / 'monitor.txt')
    assert monitor.last_percent() == 0.0
