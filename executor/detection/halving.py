"""Call a function of a batch with fewer items at a time once GPU memory was too small for more."""

from __future__ import annotations

import logging
import sys
from typing import Callable, Generic, List, Sequence, TypeVar

import torch

from executor.machine.memory import is_out_of_gpu_memory

logger = logging.getLogger(__name__)

Item = TypeVar('Item')
Result = TypeVar('Result')


class Halving(Generic[Item, Result]):
    """A function of items that gives a result each; where memory ends they are halved, and so are all later ones."""

    def __init__(self, function: Callable[..., List[Result]]) -> None:
        self._function = function
        self._most = sys.maxsize  # items at a time

    def __call__(self, items: Sequence[Item], *arguments: object) -> List[Result]:
        """Call the function with the items, and with further arguments as they are."""
        if len(items) <= self._most:
            try:
                return self._function(items, *arguments)
            except RuntimeError as error:
                if len(items) == 1 or not is_out_of_gpu_memory(error):
                    raise
                self._most = min(self._most, len(items) // 2)
                logger.warning('out of GPU memory with %d images at a time: going on with %d', len(items), self._most)
            torch.cuda.empty_cache()
        half = len(items) // 2
        return self(items[:half], *arguments) + self(items[half:], *arguments)
