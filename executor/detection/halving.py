"""Call a function of a batch with fewer items at a time once GPU memory was too small for more."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Callable, Generic, List, Sequence, TypeVar

import torch

from executor.machine.memory import is_out_of_gpu_memory

logger = logging.getLogger(__name__)

Item = TypeVar('Item')
Result = TypeVar('Result')


class Halving(Generic[Item, Result]):
    """A function of items that gives a result each; where memory ends they are halved, and so are all later ones.

    Several threads may call it. What found no memory is tried again while no other call goes on, since what the other
    one holds may be all that was lacking.
    """

    def __init__(self, function: Callable[..., List[Result]]) -> None:
        self._function = function
        self._most = sys.maxsize  # items at a time
        self._turn = threading.Condition()
        self._calls = 0  # that go on

    def __call__(self, items: Sequence[Item], *arguments: object) -> List[Result]:
        """Call the function with the items, and with further arguments as they are."""
        if len(items) > self._most:
            half = len(items) // 2
            return self(items[:half], *arguments) + self(items[half:], *arguments)
        with self._turn:
            self._calls += 1
        try:
            return self._function(items, *arguments)
        except RuntimeError as error:
            if not is_out_of_gpu_memory(error):
                raise
        finally:
            with self._turn:
                self._calls -= 1
                self._turn.notify_all()
        with self._turn:  # to the end, so that no other call begins
            self._turn.wait_for(lambda: not self._calls)
            self._halve(len(items))
            return self._alone(items, *arguments)

    def _alone(self, items: Sequence[Item], *arguments: object) -> List[Result]:
        if len(items) <= self._most:
            try:
                return self._function(items, *arguments)
            except RuntimeError as error:
                if len(items) == 1 or not is_out_of_gpu_memory(error):
                    raise
            self._halve(len(items))
        half = len(items) // 2
        return self._alone(items[:half], *arguments) + self._alone(items[half:], *arguments)

    def _halve(self, items: int) -> None:
        if items > 1:
            self._most = min(self._most, items // 2)
            logger.warning('out of GPU memory with %d images at a time: going on with %d', items, self._most)
        torch.cuda.empty_cache()
