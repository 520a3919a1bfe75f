from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from executor.contract.output.files import remove_file, replace_file, replaced_file, replaced_path
from tests.support.task_folder import names_in


@pytest.mark.parametrize('content, data', [('ü\n', b'\xc3\xbc\n'), (b'\xff\n', b'\xff\n'), ('', b''), (b'', b'')])
def test_a_first_version_makes_its_folder(tmp_path, content, data):
    replace_file(tmp_path / 'models' / 'a.yaml', content)
    assert (tmp_path / 'models' / 'a.yaml').read_bytes() == data
    assert names_in(tmp_path / 'models') == ['a.yaml']


@pytest.mark.parametrize('content', ['new', b'new'])
@pytest.mark.parametrize('mode', [0o600, 0o640, 0o666, 0o777])
def test_the_mode_is_kept(tmp_path, mode, content):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    path.chmod(mode)
    replace_file(path, content)
    assert path.read_text() == 'new'
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() != 0, reason='only root may give a file away')
def test_the_owner_is_kept(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    os.chown(path, 1234, 5678)
    replace_file(path, 'new')
    assert path.read_text() == 'new'
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


def test_an_owner_that_cannot_be_kept_is_no_error(tmp_path, monkeypatch):
    def refuse(*args: object) -> None:
        raise PermissionError

    path = tmp_path / 'a.txt'
    path.write_text('old')
    monkeypatch.setattr(os, 'chown', refuse)
    replace_file(path, 'new')
    assert path.read_text() == 'new'


def test_a_reader_finds_the_old_or_the_new_version(tmp_path, monkeypatch):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    seen = []

    def replace(source, target, real=os.replace):
        seen.append((path.read_text(), Path(source).read_text(), Path(source).parent, Path(target)))
        real(source, target)

    monkeypatch.setattr(os, 'replace', replace)
    replace_file(path, 'new')
    assert seen == [('old', 'new', tmp_path, path)]
    assert path.read_text() == 'new'


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EACCES])
def test_a_failure_leaves_the_old_version_and_nothing_beside(tmp_path, monkeypatch, number):
    def fail(source, target):
        raise OSError(number, os.strerror(number))

    path = tmp_path / 'a.txt'
    path.write_text('old')
    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError) as caught:
        replace_file(path, 'new')
    assert caught.value.errno == number
    assert path.read_text() == 'old'
    assert names_in(tmp_path) == ['a.txt']


def test_a_file_that_is_a_mount_is_written_in_place(tmp_path, monkeypatch):
    """The kernel's answer to renaming over a bind mount, also where both lie on one device."""

    def busy(source, target):
        raise OSError(errno.EBUSY, 'Device or resource busy')

    path = tmp_path / 'a.txt'
    path.write_text('old')
    monkeypatch.setattr(os, 'replace', busy)
    replace_file(path, 'new')
    assert path.read_text() == 'new'
    assert names_in(tmp_path) == ['a.txt']


# --- piece by piece -------------------------------------------------------------------------------------------------


def test_a_file_written_piece_by_piece(tmp_path):
    path = tmp_path / 'sub' / 'a.txt'
    for text, before in [('old', None), ('ü\ud83d', 'old')]:
        with replaced_file(path) as stream:
            for character in text:
                stream.write(character)
            stream.flush()
            assert (path.read_text() if path.exists() else None) == before
    assert path.read_bytes() == b'\xc3\xbc\\ud83d'
    assert names_in(tmp_path / 'sub') == ['a.txt']


@pytest.mark.parametrize('error', [AssertionError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize('before', [None, 'old'])
def test_an_exception_in_the_middle(tmp_path, error, before):
    path = tmp_path / 'a.txt'
    if before:
        path.write_text(before)
    with pytest.raises(error), replaced_file(path) as stream:
        stream.write('new' * 10000)
        raise error
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == ([('a.txt', before)] if before else [])


def test_a_path_for_a_writer_that_opens_files_itself(tmp_path):
    path = tmp_path / 'sub' / 'a.bin'
    for data in (b'old', b'new'):
        with replaced_path(path) as beside:
            beside.write_bytes(data)
            assert (beside.parent, beside != path) == (path.parent, True)
        assert path.read_bytes() == data
        assert names_in(path.parent) == ['a.bin']
    with pytest.raises(KeyboardInterrupt), replaced_path(path) as beside:
        beside.write_bytes(b'half')
        raise KeyboardInterrupt
    assert path.read_bytes() == b'new'
    assert names_in(path.parent) == ['a.bin']


def test_a_file_is_removed_with_what_lies_beside_it(tmp_path):
    for name in ('a.txt', '.a.txt.17', '.a.txt.4', '.b.txt.17', 'a.txt.17', '.a.txt'):
        (tmp_path / name).write_text('')
    remove_file(tmp_path / 'a.txt')
    assert names_in(tmp_path) == ['.a.txt', '.b.txt.17', 'a.txt.17']
    remove_file(tmp_path / 'a.txt')
    remove_file(tmp_path / 'no folder' / 'a.txt')
