"""Read what torch.save writes, in both of its forms, as plain values and tensors.

torch.load is not asked: it runs what it takes for TorchScript, unpacks archives of its oldest form, and allocates and
reads what a file claims, beyond its end too. torch.save stores tensors as they are, so nothing here takes more than the
file's size, but for the copies of tensors that do not lie in one piece.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
from pickle import UnpicklingError
from typing import Any, BinaryIO, Dict, Iterator, Tuple

import torch

from executor.weights.plain_pickle import MOST_STEPS, Layer, PlainPickle, TensorEntry

# The largest detector there is (a billion parameters) with the state of its optimizer takes 12 GB. A file of a terabyte
# may take no room on disk, but would in memory.
_MOST_BYTES = 2**34
# Layers that share their weights are listed once each: up to seven in a DETR, three in RTMDet.
_MOST_TIMES = 16  # all tensors together may take the size of the file
_DEEPEST = 100  # containers in each other
_MOST_DIMENSIONS = 64  # of a tensor, in torch
_LONGEST_NAME = 1000  # of a parameter in a layer

_MAGIC_NUMBER, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the form before torch 1.6
_ZIP, _ZIP_END = b'PK\x03\x04', b'PK\x05\x06'
_ZIP_END_SIZE, _ZIP_COMMENT_SIZE = 22, 2**16
_OTHER_ZIP = 'it is a TorchScript archive, a program, or another zip that torch.save did not write'

Records = Dict[str, Tuple[int, int]]  # where the bytes of each storage begin in the file, and how many they are


def load(file: BinaryIO) -> object:
    """Read what torch.save wrote; any number of threads may, each its file.

    A network that was saved whole becomes a dict: its `state_dict`, and its attribute `names`.

    Raises:
        UnpicklingError: it holds more than plain values and tensors, or is another kind of file.
        Exception: it is damaged, or would take far more memory than its size.
    """
    size = file.seek(0, os.SEEK_END)
    if size > _MOST_BYTES:
        raise UnpicklingError(f'it has {size} bytes, at most {_MOST_BYTES} are read')
    file.seek(0)
    zipped = file.read(len(_ZIP)) == _ZIP
    content, records = _read_zip(file, size) if zipped else _read_before_1_6(file, size)
    return _Maker(file, size, records).made(content)


def _read_zip(file: BinaryIO, size: int) -> Tuple[object, Records]:
    """Read the pickle of a zip that is exactly as torch.save writes it, so that every reader sees the same in it."""
    file.seek(max(0, size - _ZIP_END_SIZE - _ZIP_COMMENT_SIZE))
    tail = file.read()
    end = tail[-_ZIP_END_SIZE:]
    if _ZIP_END in tail and not (end.startswith(_ZIP_END) and end.endswith(b'\0\0')):  # behind it comes a comment
        raise UnpicklingError(_OTHER_ZIP)
    entries = {entry.filename: entry for entry in zipfile.ZipFile(file).infolist()}
    folder = next(iter(entries), '').partition('/')[0]
    plain = all(e.compress_type == zipfile.ZIP_STORED and e.file_size == e.compress_size for e in entries.values())
    claimed = sum(entry.file_size for entry in entries.values())
    if f'{folder}/data.pkl' not in entries or f'{folder}/constants.pkl' in entries or not plain or claimed > size:
        raise UnpicklingError(_OTHER_ZIP)
    records: Records = {}
    for name, entry in entries.items():
        file.seek(entry.header_offset)
        mark, name_size, extra_size = struct.unpack('<4s22xHH', file.read(30))
        if mark != _ZIP:
            raise zipfile.BadZipFile(f'{name} is not where it should be')
        records[name] = (entry.header_offset + 30 + name_size + extra_size, entry.file_size)
    if f'{folder}/byteorder' in records and _bytes(file, records[f'{folder}/byteorder']) == b'big':
        raise UnpicklingError('its numbers are in the order of bytes of another kind of machine')
    pickled = _bytes(file, records[f'{folder}/data.pkl'])
    data = f'{folder}/data/'
    content = PlainPickle(io.BytesIO(pickled), len(pickled)).load()
    return content, {name[len(data) :]: record for name, record in records.items() if name.startswith(data)}


def _read_before_1_6(file: BinaryIO, size: int) -> Tuple[object, Records]:
    """Read the pickles of the form without a zip, and find the storages behind them."""
    file.seek(0)
    pickles = PlainPickle(file, size)
    if pickles.load() != _MAGIC_NUMBER:
        raise ValueError('Invalid magic number; corrupt file?')
    if pickles.load() != _PROTOCOL:
        raise ValueError('Invalid protocol version')
    system: Any = pickles.load()
    if not system['little_endian']:
        raise UnpicklingError('its numbers are in the order of bytes of another kind of machine')
    content = pickles.load()
    keys: Any = pickles.load()
    records: Records = {}
    for key in keys:
        count = int.from_bytes(file.read(8), 'little') * _itemsize(pickles.storages[key])
        records[key] = (file.tell(), count)
        file.seek(count, os.SEEK_CUR)
    return content, records


def _bytes(file: BinaryIO, record: Tuple[int, int]) -> bytearray:
    start, count = record
    if start + count > file.seek(0, os.SEEK_END):
        raise EOFError('Ran out of input')
    file.seek(start)
    content = bytearray(count)
    file.readinto(content)  # type: ignore[attr-defined]  # every binary file has it
    return content


def _dict(value: object) -> Dict[Any, Any]:
    """Give what is a dict, and nothing for all else."""
    return value if type(value) is dict else {}


def _itemsize(dtype: torch.dtype) -> int:
    return torch.empty(0, dtype=dtype).element_size()


class _Maker:
    """A copy of what a pickle holds, with tensors for their descriptions and None for what is forgotten."""

    def __init__(self, file: BinaryIO, size: int, records: Records) -> None:
        self._file = file
        self._records = records
        self._content: Dict[str, bytearray] = {}
        self._values_left = MOST_STEPS
        self._bytes_left = min(_MOST_TIMES * size, _MOST_BYTES)

    def made(self, value: Any, depth: int = 0) -> Any:
        """Copy a value, its containers as dict, list and tuple."""
        self._count(depth)
        kind = type(value)
        if kind is dict:
            return {key: self.made(item, depth + 1) for key, item in value.items()}
        if kind in (list, tuple):
            return kind([self.made(item, depth + 1) for item in value])
        if kind is TensorEntry:
            return self._tensor(value)
        if kind is Layer:
            names = self.made(_dict(value.state).get('names'), depth + 1)
            return {'state_dict': dict(self._parameters(value, '', depth)), 'names': names}
        return value if kind in (bool, int, float, str, bytes) else None

    def _count(self, depth: int) -> None:
        self._values_left -= 1
        if depth > _DEEPEST or self._values_left < 0:
            raise UnpicklingError('its values are nested without end')

    def _parameters(self, layer: Layer, before: str, depth: int) -> Iterator[Tuple[str, torch.Tensor]]:
        """Make the parameters and buffers of a layer and of those in it, under the names that torch gives them."""
        self._count(depth)
        if len(before) > _LONGEST_NAME:
            raise UnpicklingError('a name is too long')
        state = _dict(layer.state)
        for key in ('_parameters', '_buffers'):
            for name, entry in _dict(state.get(key)).items():
                if type(entry) is TensorEntry:
                    self._count(depth)
                    yield f'{before}{name}', self._tensor(entry)
        for name, inner in _dict(state.get('_modules')).items():
            if type(inner) is Layer:
                yield from self._parameters(inner, f'{before}{name}.', depth + 1)

    def _tensor(self, entry: TensorEntry) -> torch.Tensor:
        """Make a dense tensor; its size is known to be reasonable before memory is taken."""
        storage = entry.storage
        whole = (storage.start, storage.count, entry.start, *entry.size, *entry.stride)
        if any(type(number) is not int or number < 0 for number in whole) or not (
            len(entry.size) == len(entry.stride) <= _MOST_DIMENSIONS
        ):
            raise ValueError('a tensor has no size')
        count, itemsize = math.prod(entry.size), _itemsize(storage.dtype)
        self._bytes_left -= count * itemsize
        if self._bytes_left < 0:
            raise ValueError(f'its tensors would take more than {_MOST_TIMES} times the size of the file, or too much')
        if count == 0:
            return torch.empty(entry.size, dtype=storage.dtype)
        last = entry.start + sum((side - 1) * step for side, step in zip(entry.size, entry.stride))
        content = self._content.get(storage.key)
        if content is None:
            content = self._content[storage.key] = _bytes(self._file, self._records[storage.key])
        if last >= storage.count or (storage.start + storage.count) * itemsize > len(content):
            raise ValueError('a tensor goes on behind its storage')
        numbers = torch.frombuffer(content, dtype=storage.dtype, count=len(content) // itemsize)
        return numbers.as_strided(entry.size, entry.stride, storage.start + entry.start).contiguous()
