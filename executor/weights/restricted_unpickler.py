"""Serve `torch.load` as a pickle module that admits tensors and plain values, on every torch alike.

torch's own `weights_only` does not exist before 1.13, and refuses the checkpoints that mmdet 3 publishes: beside the
weights they hold the training's log as objects of mmengine. Those are read as `Forgotten`, which runs nothing.
"""

from __future__ import annotations

import pickle
from pickle import PickleError, UnpicklingError  # noqa: F401  (torch.load asks the module for them)
from typing import BinaryIO

_PLAIN = {
    'collections': ('OrderedDict',),
    'torch': ('Size', 'device'),
    'torch._utils': ('_rebuild_parameter', '_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_tensor_v3'),
}
# mmengine and mmdet 2 keep the log and the metrics of a training as these and as numpy's numbers.
_FORGOTTEN = {
    ('mmengine.logging.history_buffer', 'HistoryBuffer'),
    ('builtins', 'getattr'),  # how a HistoryBuffer names its methods
    ('__builtin__', 'getattr'),
    ('_codecs', 'encode'),  # how numpy's bytes are written
}
_NUMPY = ('_reconstruct', 'scalar', 'ndarray', 'dtype')


class Forgotten:
    """A stand-in for an object that no weight needs: takes whatever pickle hands it and keeps nothing."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class Unpickler(pickle.Unpickler):
    """A reader of pickles that looks up nothing that could run code."""

    def find_class(self, module: str, name: str) -> object:
        storage = module in ('torch', 'torch.cuda') and name.endswith('Storage') and name.isidentifier()
        if storage or name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        numpys = module.partition('.')[0] == 'numpy' and (name in _NUMPY or name.endswith('DType'))
        if (module, name) in _FORGOTTEN or numpys:
            return Forgotten
        raise UnpicklingError(f'{module}.{name} is no tensor and no plain value')


def load(file: BinaryIO, *, encoding: str = 'ASCII') -> object:
    """Load as pickle.load does."""
    return Unpickler(file, encoding=encoding).load()
