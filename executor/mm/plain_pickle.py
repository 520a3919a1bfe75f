"""A pickle module for `torch.load` that admits tensors and plain values: torch before 1.13 has no weights_only."""

from __future__ import annotations

import pickle
from pickle import PickleError, UnpicklingError  # noqa: F401  (torch.load asks the module for them)
from typing import Any

_PLAIN = {
    ('collections', 'OrderedDict'),
    ('torch', 'Size'),
    ('torch', 'device'),
    ('torch._utils', '_rebuild_parameter'),
    ('torch._utils', '_rebuild_tensor'),
    ('torch._utils', '_rebuild_tensor_v2'),
}


class Unpickler(pickle.Unpickler):
    """Looks up nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        storage = module in ('torch', 'torch.cuda') and name.endswith('Storage') and name.isidentifier()
        if storage or (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise UnpicklingError(f'{module}.{name} is no tensor and no plain value')


def load(file: Any, **options: Any) -> Any:
    """Like pickle.load."""
    return Unpickler(file, **options).load()
