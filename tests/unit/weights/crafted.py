"""Weight files that no torch.save would write."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Tuple

import torch


class Storage(NamedTuple):
    """What a pickle claims of a storage; a tensor of any size may be made of it."""

    key: str = '0'
    count: Any = 4
    kind: type = torch.FloatStorage


_FOUR = Storage()


class Call:
    """Pickled, a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Tuple[Any, ...]:
        return self._call


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return ('storage', value.kind, value.key, 'cpu', value.count) if isinstance(value, Storage) else None


def tensor(size: Any, stride: Any, start: Any = 0, storage: Storage = _FOUR, **more: Any) -> Call:
    """A tensor of four numbers, 0 to 3, unless something else is claimed."""
    rest = (more['metadata'],) if more else ()
    return Call(torch._utils._rebuild_tensor_v2, storage, start, size, stride, False, {}, *rest)


def pickled(content: object) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, 2).dump(content)
    return stream.getvalue()


def write(path: Path, content: object, records: Mapping[str, bytes] = {}, **more: Any) -> Path:
    """Write a file as torch.save does: a pickle, or its bytes, and the storages beside it."""
    with zipfile.ZipFile(path, 'w', **more) as archive:
        archive.writestr('archive/data.pkl', content if isinstance(content, bytes) else pickled(content))
        archive.writestr('archive/data/0', torch.arange(4.0).numpy().tobytes())
        for name, data in records.items():
            archive.writestr(f'archive/{name}', data)
    return path
