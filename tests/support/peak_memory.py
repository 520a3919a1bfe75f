"""How much memory a piece of code takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Not ru_maxrss: a child starts with that of the process it came from.
_TELL_PEAK = """
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


def peak_memory(code: str, *arguments: object) -> float:
    """Peak resident memory, in MB of 10^6 bytes, of a process that runs `code` with `arguments` in sys.argv[1:]."""
    command = [sys.executable, '-c', code + _TELL_PEAK, *map(str, arguments)]
    run = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return int(run.stdout) * 1024 / 1e6
