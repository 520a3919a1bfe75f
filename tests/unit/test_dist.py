"""What the ranks of a task give each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_what_the_first_rank_makes_is_given_to_all():
    """The array is its own in each, and only the first has made it."""
    code = """
import numpy as np
from executor import dist
dist.start(use_gpu=False)
made = []
def make():
    made.append(dist.rank())
    return np.arange(5) + 10, 'text'
array, text = dist.from_first(make)
print(dist.rank(), made, array.tolist(), text)
dist.stop()
"""
    assert _ranks(1, code) == ['0 [0] [10, 11, 12, 13, 14] text']
    assert _ranks(2, code) == [f'{rank} {made} [10, 11, 12, 13, 14] text' for rank, made in ((0, [0]), (1, []))]


def _ranks(count: int, code: str) -> list[str]:
    """Run code in so many ranks; returns what each has printed."""
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    place = {**os.environ, 'MASTER_ADDR': 'localhost', 'MASTER_PORT': str(port), 'WORLD_SIZE': str(count)}
    command = [sys.executable, '-c', code]
    runs = [
        subprocess.Popen(command, cwd=REPOSITORY, env={**place, 'RANK': str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(count)
    ]
    return [run.communicate(timeout=60)[0].strip() for run in runs]
