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


@pytest.fixture
def path(tmp_path) -> Path:
    """A file with an earlier version."""
    (tmp_path / 'a.txt').write_text('old')
    return tmp_path / 'a.txt'


def fail_with(monkeypatch, call: str, error: OSError) -> None:
    """Make a function of `os` fail."""

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(os, call, fail)


@pytest.mark.parametrize('content', ['new', b'new'])
@pytest.mark.parametrize('mode', [0o600, 0o640, 0o666, 0o777])
def test_the_mode_is_kept(path, mode, content):
    path.chmod(mode)
    replace_file(path, content)
    assert path.read_text() == 'new'
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() != 0, reason='only root may give a file away')
def test_the_owner_is_kept(path):
    os.chown(path, 1234, 5678)
    replace_file(path, 'new')
    assert path.read_text() == 'new'
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


@pytest.mark.parametrize(
    'call, number',
    [
        ('chown', errno.EPERM),  # not ours to give away
        ('chown', errno.EINVAL),  # an owner without a number in this container
        ('chown', errno.ENOTSUP),
        ('chmod', errno.EPERM),
        ('replace', errno.EBUSY),  # the kernel's answer to renaming over a bind mount, also within one device
        ('replace', errno.EXDEV),
        ('replace', errno.EPERM),  # another user's, in a sticky folder
    ],
)
def test_a_file_that_cannot_be_replaced_as_it_was_is_written_all_the_same(path, monkeypatch, call, number):
    fail_with(monkeypatch, call, OSError(number, os.strerror(number)))
    replace_file(path, 'new')
    assert path.read_text() == 'new'
    assert names_in(path.parent) == ['a.txt']


def test_a_reader_finds_the_old_or_the_new_version(path, monkeypatch):
    seen = []

    def replace(source, target, real=os.replace):
        seen.append((path.read_text(), Path(source).read_text(), Path(source).parent, Path(target)))
        real(source, target)

    monkeypatch.setattr(os, 'replace', replace)
    replace_file(path, 'new')
    assert seen == [('old', 'new', path.parent, path)]
    assert path.read_text() == 'new'


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EACCES])
def test_a_failure_leaves_the_old_version_and_nothing_beside(path, monkeypatch, number):
    fail_with(monkeypatch, 'replace', OSError(number, os.strerror(number)))
    with pytest.raises(OSError) as caught:
        replace_file(path, 'new')
    assert caught.value.errno == number
    assert path.read_text() == 'old'
    assert names_in(path.parent) == ['a.txt']


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


def test_a_file_is_removed_with_what_lies_beside_it(tmp_path):
    for name in ('a.txt', '.a.txt.17', '.a.txt.4', '.b.txt.17', 'a.txt.17', '.a.txt', '.a.txt.swp'):
        (tmp_path / name).write_text('')
    remove_file(tmp_path / 'a.txt')
    assert names_in(tmp_path) == ['.a.txt', '.a.txt.swp', '.b.txt.17', 'a.txt.17']
    remove_file(tmp_path / 'a.txt')
    remove_file(tmp_path / 'no folder' / 'a.txt')
