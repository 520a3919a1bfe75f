"""Read pickles as data: a name in them is compared with a list, and nothing is looked up or called.

Python's own unpickler builds whatever a pickle says before anyone can look at it. torch's `weights_only` does not exist
before 1.13, and refuses what mmdet 3 publishes: beside the weights stand numpy's numbers, and the training's log as
objects of mmengine. Here those become None, and tensors and layers a description, of which `torch_file` makes tensors.
"""

from __future__ import annotations

import pickle
import re
import struct
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any, BinaryIO, Callable, Dict, List, Tuple

import torch

from executor.contract.shown import shown

# The state of the largest detector takes some hundred thousand, see pickletools.dis. What a call copies counts, too: a
# small file could ask for copies that take all memory, or years.
MOST_STEPS = 5_000_000
_LONGEST_NUMBER = 16  # bytes; the mark of torch's older files takes 10
_LONGEST_KEY = 60  # bits, of a whole number
_LONGEST_NAME = 200  # bytes of a module's or a class's

DTYPES = {
    **{'FloatStorage': torch.float32, 'DoubleStorage': torch.float64, 'HalfStorage': torch.float16},
    **{'BFloat16Storage': torch.bfloat16, 'LongStorage': torch.int64, 'IntStorage': torch.int32},
    **{'ShortStorage': torch.int16, 'CharStorage': torch.int8, 'ByteStorage': torch.uint8, 'BoolStorage': torch.bool},
}
_DICTS = {('collections', 'OrderedDict'), ('collections', 'Counter')}  # mmengine counts the milestones of a schedule
_TENSORS = {('torch._utils', '_rebuild_tensor'), ('torch._utils', '_rebuild_tensor_v2')}
_PARAMETER, _SIZE = ('torch._utils', '_rebuild_parameter'), ('torch', 'Size')
# mmengine and mmdet 2 keep the log and the metrics of a training as these and as numpy's numbers.
_FORGOTTEN = {
    ('mmengine.logging.history_buffer', 'HistoryBuffer'),
    ('builtins', 'getattr'),  # how a HistoryBuffer names its methods
    ('__builtin__', 'getattr'),
    ('_codecs', 'encode'),  # how numpy's bytes are written
    ('torch', 'device'),
    *((module, 'set') for module in ('builtins', '__builtin__')),
    *(('pathlib', f'{kind}Path') for kind in ('Posix', 'Windows', 'PurePosix', 'PureWindows')),
    ('argparse', 'Namespace'),
}
# ultralytics saves its networks whole, as objects of their classes, with the arguments of the training beside them.
_LAYER_MODULES = re.compile(r'torch\.nn\.modules\.\w+|(yolov5\.)?models(\.\w+)+|ultralytics(\.\w+)+')
_NUMPY = ('_reconstruct', 'scalar', 'ndarray', 'dtype')


@dataclass(frozen=True)
class StorageEntry:
    """The numbers that tensors are views of."""

    key: str
    dtype: torch.dtype
    start: int  # of the numbers, behind the storage's first
    count: int


@dataclass(frozen=True)
class TensorEntry:
    """What a pickle says of a tensor; nothing of it is checked."""

    storage: StorageEntry
    start: Any
    size: Any
    stride: Any


@dataclass(frozen=True)
class Name:
    """A class or a function; as a value it is forgotten."""

    module: str
    name: str


@dataclass
class Layer:
    """An object of a layer's class: what it holds, and nothing that could act."""

    state: Any = None  # attributes


class PlainPickle:
    """A file of pickles, one after the other, read as plain values, `TensorEntry`, `Layer` and `Name`.

    Attributes:
        storages: what the pickles read so far have named.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        """`size`: of the file, beyond which nothing in it can be long."""
        self.storages: Dict[str, torch.dtype] = {}
        self._file = file
        self._size = size

    def load(self) -> object:
        """Read the next pickle.

        Raises:
            UnpicklingError: it is none, or holds more than plain values and tensors.
            Exception: it is damaged.
        """
        self._stack: List[Any] = []
        self._marks: List[int] = []
        self._memo: Dict[int, Any] = {}
        self._steps_left = MOST_STEPS
        while True:
            self._count(1)
            code = self._read(1)
            if code == pickle.STOP:
                return self._stack.pop()
            if code in _VALUES:
                self._stack.append(_VALUES[code](self))
            elif code in _STEPS:
                _STEPS[code](self)
            else:
                raise UnpicklingError(f'invalid load key, {code.decode("latin-1")!r}')

    def _count(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise UnpicklingError(f'it has more than {MOST_STEPS} steps')

    def _read(self, count: int) -> bytes:
        data = self._file.read(count) if count <= self._size else b''
        if len(data) < count:
            raise EOFError('Ran out of input')
        return data

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._read(struct.calcsize(form)))[0]

    def _whole_number(self, form: str) -> int:
        count = self._number(form)
        if count > _LONGEST_NUMBER:
            raise UnpicklingError(f'a whole number has {count} bytes')
        return int.from_bytes(self._read(count), 'little', signed=True)

    def _bytes(self, form: str) -> bytes:
        return self._read(self._number(form))

    def _text(self, form: str) -> str:
        return self._bytes(form).decode('utf-8', 'replace')  # Python 2 wrote bytes, too

    def _line(self) -> str:
        return self._file.readline(_LONGEST_NAME).decode('utf-8').rstrip('\n')

    def _last(self, count: int) -> Tuple[Any, ...]:
        """Take the last values off the stack."""
        items = tuple(self._stack[-count:])
        if len(items) < count:
            raise EOFError('its stack is empty')
        del self._stack[-count:]
        return items

    def _marked(self) -> List[Any]:
        """Take what came after the last mark off the stack."""
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _extend(self, items: List[Any]) -> None:
        self._of_type(list).extend(items)

    def _fill(self, items: List[Any]) -> None:
        """Put keys and values, in turn, into a dict.

        A key that is nested would be hashed without end, and long numbers can be chosen to have all the same hash.
        """
        mapping = self._of_type(dict)
        for key, value in zip(items[::2], items[1::2]):
            if not (type(key) is str or (type(key) is int and key.bit_length() <= _LONGEST_KEY)):
                raise UnpicklingError(f'a key is of type {type(key).__name__}, expected text')
            mapping[key] = value

    def _describe(self, state: Any) -> None:
        """Keep the attributes of a layer; those of other objects are forgotten."""
        if type(self._stack[-1]) is Layer:
            self._stack[-1].state = state

    def _of_type(self, wanted: type) -> Any:
        if type(self._stack[-1]) is not wanted:
            raise UnpicklingError(f'{type(self._stack[-1]).__name__} is filled as a {wanted.__name__}')
        return self._stack[-1]

    def _dict_of(self, items: List[Any]) -> Dict[object, object]:
        self._stack.append({})
        self._fill(items)
        return self._stack.pop()

    def _storage(self, entry: Any) -> StorageEntry:
        if type(entry) is not tuple or not 5 <= len(entry) <= 6:
            raise UnpicklingError('a storage is not described')
        kind, name, key, _, count, *view = entry
        # Of anything nested the text could be without end.
        if kind != 'storage' or type(key) not in (str, int) or not isinstance(name, Name) or name.name not in DTYPES:
            raise UnpicklingError(f'a storage is described as {shown(kind)}, {shown(name)}, {shown(key)}')
        start, count = (view[0][1], view[0][2]) if view and view[0] else (0, count)
        storage = StorageEntry(str(key), DTYPES[name.name], start, count)
        self.storages.setdefault(storage.key, storage.dtype)
        return storage

    def _named(self, module: Any, name: Any) -> Name:
        if any(type(text) is not str or len(text) > _LONGEST_NAME for text in (module, name)):
            raise UnpicklingError('a name is no text, or too long for one')
        known = (module, name)
        storage = module in ('torch', 'torch.cuda') and name in DTYPES
        numpys = module.partition('.')[0] == 'numpy' and (name in _NUMPY or name.endswith('DType'))
        made = known in _DICTS or known in _TENSORS or known in (_PARAMETER, _SIZE)
        layer = _LAYER_MODULES.fullmatch(module)
        if not (storage or numpys or made or layer or known in _FORGOTTEN):
            raise UnpicklingError(f'{module}.{name} is no tensor and no plain value')
        return Name(module, name)

    def _called(self, named: object, arguments: Any) -> object:
        """Give what stands for the result of a call."""
        known = (named.module, named.name) if isinstance(named, Name) else None
        if type(arguments) is not tuple:
            raise UnpicklingError(f'{type(arguments).__name__} is taken for arguments')
        parts = [part for part in arguments if type(part) in (dict, list, tuple)]
        self._count(len(arguments) + sum(map(len, parts)))
        if known in _TENSORS:
            storage, start, size, stride, *_ = arguments
            if not isinstance(storage, StorageEntry) or any(arguments[6:]):  # a flag for numbers stored negated
                raise UnpicklingError('a tensor is not dense')
            return TensorEntry(storage, start, size, stride)
        if known in _DICTS:
            (content,) = arguments or ({},)
            pairs: Any = content.items() if type(content) is dict else content  # Python 2 writes pairs
            return self._dict_of([part for key, value in pairs for part in (key, value)])
        if known == _PARAMETER:
            return arguments[0]
        if known == _SIZE:
            return tuple(*parts)
        if isinstance(named, Name) and _LAYER_MODULES.fullmatch(named.module):
            return Layer()
        if known is None:
            raise UnpicklingError(f'{type(named).__name__} is called')
        return None


_Step = Callable[[PlainPickle], Any]
# What each code puts on the stack.
_VALUES: Dict[bytes, _Step] = {
    pickle.NONE: lambda _: None,
    pickle.NEWTRUE: lambda _: True,
    pickle.NEWFALSE: lambda _: False,
    pickle.BININT: lambda its: its._number('<i'),
    pickle.BININT1: lambda its: its._number('<B'),
    pickle.BININT2: lambda its: its._number('<H'),
    pickle.LONG1: lambda its: its._whole_number('<B'),
    pickle.LONG4: lambda its: its._whole_number('<I'),
    pickle.BINFLOAT: lambda its: its._number('>d'),
    pickle.SHORT_BINUNICODE: lambda its: its._text('<B'),
    pickle.BINUNICODE: lambda its: its._text('<I'),
    pickle.BINUNICODE8: lambda its: its._text('<Q'),
    pickle.SHORT_BINSTRING: lambda its: its._text('<B'),
    pickle.BINSTRING: lambda its: its._text('<I'),
    pickle.SHORT_BINBYTES: lambda its: its._bytes('<B'),
    pickle.BINBYTES: lambda its: its._bytes('<I'),
    pickle.BINBYTES8: lambda its: its._bytes('<Q'),
    pickle.EMPTY_TUPLE: lambda _: (),
    pickle.EMPTY_LIST: lambda _: [],
    pickle.EMPTY_DICT: lambda _: {},
    pickle.TUPLE1: lambda its: its._last(1),
    pickle.TUPLE2: lambda its: its._last(2),
    pickle.TUPLE3: lambda its: its._last(3),
    pickle.TUPLE: lambda its: tuple(its._marked()),
    pickle.LIST: lambda its: its._marked(),
    pickle.DICT: lambda its: its._dict_of(its._marked()),
    pickle.BINGET: lambda its: its._memo[its._number('<B')],
    pickle.LONG_BINGET: lambda its: its._memo[its._number('<I')],
    pickle.GLOBAL: lambda its: its._named(its._line(), its._line()),
    pickle.STACK_GLOBAL: lambda its: its._named(*its._last(2)),
    pickle.REDUCE: lambda its: its._called(*its._last(2)),
    pickle.NEWOBJ: lambda its: its._called(*its._last(2)),
    pickle.BINPERSID: lambda its: its._storage(*its._last(1)),
}
# What the others do.
_STEPS: Dict[bytes, _Step] = {
    pickle.PROTO: lambda its: its._read(1),
    pickle.FRAME: lambda its: its._read(8),
    pickle.MARK: lambda its: its._marks.append(len(its._stack)),
    pickle.POP: lambda its: its._last(1),
    pickle.POP_MARK: lambda its: its._marked(),
    pickle.BINPUT: lambda its: its._memo.update({its._number('<B'): its._stack[-1]}),
    pickle.LONG_BINPUT: lambda its: its._memo.update({its._number('<I'): its._stack[-1]}),
    pickle.MEMOIZE: lambda its: its._memo.update({len(its._memo): its._stack[-1]}),
    pickle.APPEND: lambda its: its._extend(list(its._last(1))),
    pickle.APPENDS: lambda its: its._extend(its._marked()),
    pickle.SETITEM: lambda its: its._fill(list(its._last(2))),
    pickle.SETITEMS: lambda its: its._fill(its._marked()),
    pickle.BUILD: lambda its: its._describe(*its._last(1)),
}
