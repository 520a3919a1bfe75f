"""Packages of any content are read without running, importing, starting or opening anything: 2,000 of them, watched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

CASES, SEED = 2000, 12


def fuzzed(folder: Path, cases: int, seed: int) -> dict:
    command = [sys.executable, '-m', 'tests.support.fuzz', str(folder), str(cases), str(seed)]
    done = subprocess.run(command, cwd=str(REPOSITORY), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_config_of_a_package_does_what_it_should_not(tmp_path):
    found = fuzzed(tmp_path, CASES, SEED)
    assert found['noted'] == []
    assert found['traces'] == []
    ends = found['ends']
    assert sum(ends.values()) == CASES
    assert set(ends) <= {'refused', 'not built', 'read', 'too large'}, ends
    # Otherwise the cases would no longer try what they are for.
    assert min(ends['refused'], ends['not built'], ends['read']) > CASES / 50, ends
