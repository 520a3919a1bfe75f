"""What a worker tells its parent, within one process."""

from __future__ import annotations


class Reports(list):
    """A queue within this process."""

    put = list.append

    def get(self):
        return self.pop(0)

    def empty(self) -> bool:
        return not self
