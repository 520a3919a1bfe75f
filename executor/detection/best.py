"""Keep the few candidates of the highest scores, in little memory, and join those of all ranks."""

from __future__ import annotations

import heapq
from typing import Collection, Generic, List, Sequence, Tuple, TypeVar

T = TypeVar('T')


class Best(Generic[T]):
    """The candidates of the highest scores; of equal scores the first in the index is the better."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: List[Tuple[float, int, T]] = []  # score, negative position, which no two have in common

    def add(self, score: float, position: int, item: T) -> None:
        """Keep a candidate if it is one of the best so far."""
        entry = (score, -position, item)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def only(self, positions: Collection[int]) -> Best[T]:
        """Leave out the candidates at other positions."""
        chosen: Best[T] = Best(self._most)
        for score, before, item in self._heap:
            if -before in positions:
                chosen.add(score, -before, item)
        return chosen

    @staticmethod
    def joined(ranks: Sequence[Best[T]]) -> List[Tuple[float, int, T]]:
        """Give (score, position, item) of the best of all ranks, best first."""
        entries = (entry for rank in ranks for entry in rank._heap)
        best = heapq.nlargest(ranks[0]._most, entries)
        return [(score, -before, item) for score, before, item in best]
