"""A module that shows that it was imported: where start.py runs, a file beside monitor.txt's folder appears."""

import os
from pathlib import Path

(Path(os.environ['STANDARD_MONITOR_FILE']).parents[1] / 'canary').touch()
