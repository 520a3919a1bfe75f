"""Lets start.py, unchanged, take a folder of the test's for /out where env.yaml names none."""

import os
from pathlib import Path

from executor.contract.output import monitor

monitor.STANDARD_MONITOR_FILE = Path(os.environ['STANDARD_MONITOR_FILE'])
