"""Files made to harm whoever reads them: what is not as torch.save writes it is refused, before it takes memory."""

from __future__ import annotations

import copy
import io
import os
import pickle
import socket
import struct
import tarfile
import zipfile
from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from executor.contract.errors import ModelError
from executor.weights import plain_pickle, torch_file
from executor.weights.checkpoint import read_checkpoint
from tests.unit.weights.crafted import Call, Storage, pickled, tensor, write

SCRIPT = 'it is a TorchScript archive, a program'
END = b'PK\x05\x06'
NESTED = b'\x80\x02' + b']' * 200 + b'a' * 199 + b'.'
ENDLESS = b'\x80\x02}(X\x01\x00\x00\x00a]q\x00h\x00au.'  # a list that holds itself
LAUGHS = b'\x80\x02}(X\x01\x00\x00\x00a]q\x00' + b''.join(b'0](' + b'h%c' % n * 9 + b'eq%c' % (n + 1) for n in range(9))
TWICE = b']q\x00' + b''.join(b'](h%ch%ceq%c' % (n, n, n + 1) for n in range(8))  # as text 2**8 times as long
HUNDRED = b'(' + b'N' * 100 + b'tq\x00'
STORAGE = b'\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuK\x04t'
DEEP_KEY = b'\x80\x02})' + b'\x85' * 200_000 + b'K\x01s.'  # to be hashed down to its end


def script(path, comment=b''):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    data = path.read_bytes()
    assert data[-22:-18] == END and data[-2:] == b'\0\0'
    path.write_bytes(data[:-2] + struct.pack('<H', len(comment)) + comment)
    return path


@pytest.mark.parametrize(
    'comment',
    [b'', b'a comment', END + bytes(10), END + bytes(18), END + bytes(18) + b'x', bytes(60_000) + END + bytes(4)],
    ids=['none', 'text', 'half an end', 'an end', 'an end and more', 'far behind'],
)
def test_whatever_torch_takes_for_torchscript_is_refused(tmp_path, monkeypatch, comment):
    """Readers of zips disagree on which end counts, so that one may see a program where another sees none."""
    path = script(tmp_path / 'script.pth', comment)
    monkeypatch.setattr(torch.jit, 'load', lambda *args, **kwargs: pytest.fail('it is run'))
    with pytest.raises(ModelError, match=f'script.pth.*{SCRIPT}'):
        read_checkpoint(path)


def test_torchs_oldest_form_unpacks_no_link(tmp_path):
    path = tmp_path / 'tar.pth'
    with tarfile.open(path, 'w') as archive:
        link = tarfile.TarInfo('storages')
        link.type, link.linkname = tarfile.SYMTYPE, '/dev/zero'
        archive.addfile(link)
    with pytest.raises(ModelError, match='tar.pth is cut off or damaged'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    'content, words',
    [
        (tensor((10**6, 10**6), (0, 0)), 'more than 16 times the size of the file'),
        ([tensor((1000,), (0,)) for _ in range(100)], 'more than 16 times the size of the file'),
        (tensor((10**12,), (1,), storage=Storage(count=10**12)), 'more than 16 times the size of the file'),
        (tensor((5,), (1,), storage=Storage(count=5)), 'goes on behind its storage'),
        (tensor((4,), (1,), 1), 'goes on behind its storage'),
        (tensor((2, 2), (3, 1)), 'goes on behind its storage'),
        (tensor((4,), (1,), storage=Storage(kind=torch.DoubleStorage)), 'goes on behind its storage'),
        (tensor((4,), (-1,), 3), 'has no size'),
        (tensor((-4,), (1,)), 'has no size'),
        (tensor((4,), (1,), -1), 'has no size'),
        (tensor((4,), (1, 1)), 'has no size'),
        (tensor((1,) * 100, (1,) * 100), 'has no size'),
        (tensor((4.0,), (1,)), 'has no size'),
        (tensor('4', (1,)), 'has no size'),
        (tensor((4,), (1,), storage=Storage('1')), "'1'"),
    ],
)
def test_tensors_that_are_more_than_the_file_holds_are_refused(tmp_path, content, words):
    with pytest.raises(ModelError, match=f'w.pth is cut off or damaged.*{words}'):
        read_checkpoint(write(tmp_path / 'w.pth', {'w': content}))


def test_tensors_become_plain_dense_ones(tmp_path):
    hooked = Call(torch._utils._rebuild_parameter, tensor((2, 2), (1, 2)), True, {'hook': 1})
    few = {'transposed': hooked, 'expanded': tensor((1, 4), (0, 1)), 'repeated': tensor((3,), (0,), 2)}
    read = read_checkpoint(write(tmp_path / 'w.pth', {'state_dict': few}))['state_dict']
    assert {name: value.tolist() for name, value in read.items()} == {
        'transposed': [[0.0, 2.0], [1.0, 3.0]],
        'expanded': [[0.0, 1.0, 2.0, 3.0]],
        'repeated': [2.0, 2.0, 2.0],
    }
    assert all(type(value) is torch.Tensor and value.is_contiguous() for value in read.values())
    assert not any(value.requires_grad or value._backward_hooks or value.__dict__ for value in read.values())
    read['transposed'] += 1  # it can be written to


@pytest.mark.parametrize(
    'value',
    [
        torch.eye(3).to_sparse(),
        torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, device='meta'),
        torch.optim.SGD([torch.ones(1)], 0.1),
        range(2),
    ],
    ids=['sparse', 'quantised', 'complex', 'meta', 'optimizer', 'range'],
)
def test_other_tensors_and_objects_are_refused(tmp_path, value):
    torch.save({'w': value}, str(tmp_path / 'w.pth'))
    with pytest.raises(ModelError, match='no tensor and no plain value'):
        read_checkpoint(tmp_path / 'w.pth')


def test_numbers_that_are_stored_negated_are_refused(tmp_path):
    with pytest.raises(ModelError, match='a tensor is not dense'):
        read_checkpoint(write(tmp_path / 'w.pth', {'w': tensor((4,), (1,), metadata={'neg': True})}))


def test_mappings_become_plain_dicts(tmp_path):
    odd = OrderedDict(w=torch.ones(1))
    odd._metadata = odd.extra = {'version': 2}
    torch.save({'state_dict': odd, 'milestones': Counter([8, 11, 11])}, str(tmp_path / 'w.pth'))
    read = read_checkpoint(tmp_path / 'w.pth')
    assert type(read['state_dict']) is dict and list(read['state_dict'].items()) == [('w', torch.ones(1))]
    assert read['milestones'] == {8: 1, 11: 2} and type(read['milestones']) is dict


@pytest.mark.parametrize(
    'content, words',
    [
        (NESTED, 'nested without end'),
        (ENDLESS, 'nested without end'),
        (LAUGHS + b'u.', 'nested without end'),
        (DEEP_KEY, 'a key is of type tuple, expected text'),
        (b'\x80\x03}C\x01aK\x01s.', 'a key is of type bytes, expected text'),
        (pickled({b'a': 1}), 'a key is of type NoneType, expected text'),  # what is forgotten
        (pickled({True: 1}), 'a key is of type bool, expected text'),
        (pickled({'epoch': 10**400}), 'a whole number has 167 bytes'),
        (b'\x80\x02\x8b\xff\xff\xff\x7f1.', 'a whole number has 2147483647 bytes'),
        (b'\x80\x02]K\x01K\x01s.', 'list is filled as a dict'),
        (b'\x80\x02}K\x01a.', 'dict is filled as a list'),
        (b'I1\n.', "invalid load key, 'I'"),
        (b'cos\nsystem\n(X\x01\x00\x00\x00atR.', 'os.system is no tensor and no plain value'),
        (b'\x80\x02]]\x85R.', 'list is called'),
        (b'\x80\x02ctorch\nSize\n]R.', 'list is taken for arguments'),
        (TWICE + b'0(h\x08' + STORAGE[9:] + b'Q.', r'a storage is described as \[\[\[\[\.\.\.\]'),
        (TWICE + b'0(' + STORAGE[:-11] + b'h\x08\x8c\x03cpuK\x04tQ.', r"described as 'storage', Name.*\[\[\[\["),
        (HUNDRED + b'Q.', 'a storage is not described'),
        (b'X\xc9\x00\x00\x00' + b'numpy.'.ljust(201, b'a') + b'\x8c\x05dtype\x93.', 'a name is no text, or too long'),
        (b'K\x01\x8c\x05dtype\x93.', 'a name is no text'),
        (pickled({2**60: 1}), 'a key is of type int, expected text'),
    ],
)
def test_pickles_that_never_end_or_call_are_refused(tmp_path, content, words):
    with pytest.raises(ModelError, match=f'is no weight file, or holds more.*({words})'):
        read_checkpoint(write(tmp_path / 'w.pth', content))


@pytest.mark.parametrize(
    'content', [b'\x80\x02\x8e' + b'\xff' * 7 + b'\x0f.', b'\x80\x02B\xff\xff\xff\xff.', b'\x80\x02h\x07.', b'\x80\x02']
)
@pytest.mark.parametrize('zipped', [True, False])
def test_pickles_that_claim_more_than_there_is_are_damaged(tmp_path, content, zipped):
    path = tmp_path / 'w.pth'
    write(path, content) if zipped else path.write_bytes(content)
    with pytest.raises(ModelError, match='is cut off or damaged'):
        read_checkpoint(path)


def test_a_place_to_remember_takes_no_memory(tmp_path):
    """Python's own unpickler would make room for all the four billion places before it."""
    content = b'\x80\x02}(X\x01\x00\x00\x00aK\x05r\xff\xff\xff\xffu.'
    assert read_checkpoint(write(tmp_path / 'w.pth', content)) == {'a': 5}


def test_a_pickle_of_too_many_steps_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / 'w.pth', {'a': list(range(50))})
    monkeypatch.setattr(plain_pickle, 'MOST_STEPS', 110)
    assert len(read_checkpoint(path)['a']) == 50
    monkeypatch.setattr(plain_pickle, 'MOST_STEPS', 50)
    with pytest.raises(ModelError, match='more than 50 steps'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    'copied, call',
    [
        (b']q\x00(' + b'N' * 100 + b'e', b'ctorch\nSize\nh\x00\x85R'),
        (b'}q\x00(' + b''.join(b'K%cN' % n for n in range(100)) + b'u', b'ccollections\nOrderedDict\nh\x00\x85R'),
        (b'((' + STORAGE + b'QK\x00))' + b'N' * 100 + b'tq\x00', b'ctorch._utils\n_rebuild_tensor\nh\x00R'),
    ],
    ids=['size', 'dict', 'tensor'],
)
def test_what_a_call_copies_counts_as_steps(tmp_path, monkeypatch, copied, call):
    monkeypatch.setattr(plain_pickle, 'MOST_STEPS', 1000)
    path = write(tmp_path / 'w.pth', b'(' + copied + call + b't.')
    with pytest.raises(ModelError, match='expected the parameters'):
        read_checkpoint(path)
    write(path, b'(' + copied + call * 20 + b't.')
    with pytest.raises(ModelError, match='more than 1000 steps'):
        read_checkpoint(path)


def test_no_tensors_of_more_than_a_bound_are_made(tmp_path, monkeypatch):
    path = write(tmp_path / 'w.pth', {'w': [tensor((4,), (1,)) for _ in range(40)]})
    assert len(read_checkpoint(path)['w']) == 40
    monkeypatch.setattr(torch_file, '_MOST_TIMES', 10**6)
    write(tmp_path / 'w.pth', {'w': [tensor((400,), (0,)) for _ in range(40)]})
    monkeypatch.setattr(torch_file, '_MOST_BYTES', path.stat().st_size)
    with pytest.raises(ModelError, match='or too much'):
        read_checkpoint(path)


def test_a_zip_that_is_packed_is_refused_before_it_is_unpacked(tmp_path):
    big = {'data/1': bytes(10_000_000)}
    path = write(tmp_path / 'w.pth', {'w': tensor((4,), (1,))}, big, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(ModelError, match='another zip that torch.save did not write'):
        read_checkpoint(path)


def test_storages_that_lie_in_each_other_are_refused(tmp_path):
    path = tmp_path / 'w.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickled({'w': tensor((4,), (1,), storage=Storage('1'))}))
        archive.writestr('archive/data/0', bytes(1000))
        for number in range(1, 50):
            again = copy.copy(archive.getinfo('archive/data/0'))
            again.filename = f'archive/data/{number}'
            archive.filelist.append(again)
    with pytest.raises(ModelError, match='another zip that torch.save did not write'):
        read_checkpoint(path)


@pytest.mark.parametrize('zipped', [True, False])
def test_numbers_of_another_order_of_bytes_are_not_misread(tmp_path, zipped):
    path = write(tmp_path / 'w.pth', {'w': tensor((4,), (1,))}, {'byteorder': b'big'})
    if not zipped:
        parts = (0x1950A86A20F9469CFC6C, 1001, {'little_endian': False}, {}, [])
        path.write_bytes(b''.join(pickle.dumps(part, 2) for part in parts))
    with pytest.raises(ModelError, match='the order of bytes of another kind of machine'):
        read_checkpoint(path)


def test_only_files_are_read(tmp_path):
    """Nothing is waited for, either: a pipe has no writer, a device never ends."""
    os.mkfifo(tmp_path / 'pipe')
    with open(tmp_path / 'sparse', 'wb') as file:
        file.truncate(2**40)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / 'socket'))
        for path, words in (
            (tmp_path / 'pipe', 'a device or a pipe'),
            ('/dev/zero', 'a device or a pipe'),
            (tmp_path / 'sparse', 'it has 1099511627776 bytes'),
            (tmp_path / 'socket', 'No such device'),
            (tmp_path, 'Is a directory'),
            ('/proc/self/mem', 'Ran out of input|Invalid argument'),
        ):
            with pytest.raises(ModelError, match=f'{path}.*({words})'):
                read_checkpoint(Path(path))


def test_several_threads_may_read(tmp_path):
    files = []
    for number in range(8):
        torch.save({'w': torch.full((1000,), float(number))}, str(tmp_path / f'{number}.pth'))
        files.append(tmp_path / f'{number}.pth')
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(read_checkpoint, files * 4))
    assert [int(one['w'].sum()) for one in read] == [1000 * number for number in range(8)] * 4


def test_a_view_of_torch_before_it_shared_storages_by_offset(tmp_path):
    """In its older form a storage may be a part of another."""
    parts = (0x1950A86A20F9469CFC6C, 1001, {'little_endian': True})
    stream = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ('storage', torch.FloatStorage, 'a', 'cpu', 4, ('b', 1, 2)) if isinstance(value, Storage) else None

    Pickler(stream, 2).dump({'w': tensor((1,), (1,), 1)})
    data = struct.pack('<q', 4) + torch.arange(4.0).numpy().tobytes()
    pickles = [*(pickle.dumps(part, 2) for part in parts), stream.getvalue(), pickle.dumps(['a'], 2)]
    (tmp_path / 'w.pth').write_bytes(b''.join(pickles) + data)
    assert read_checkpoint(tmp_path / 'w.pth')['w'].tolist() == [2.0]
