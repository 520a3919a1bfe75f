"""Whatever in mmengine, mmcv and mmdet reads a file or runs text does neither with what is not data."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import REPOSITORY


def tried(folder, *more: str) -> dict:
    folder.mkdir()
    command = [sys.executable, '-m', 'tests.support.sinks', str(folder), *more]
    environ = {'PYTHONPATH': str(REPOSITORY), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
    done = subprocess.run(command, cwd=str(REPOSITORY), env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_reader_backend_or_part_runs_what_it_is_given(tmp_path):
    found = tried(tmp_path / 'patched')
    assert found['noted'] == []
    assert found['traces'] == []
    kinds = ('load', 'read', 'backend', 'address', 'model', 'transform', 'hook', 'dataset', 'metric', 'task')
    assert all(found['tried'][kind] > 20 for kind in kinds), found['tried']


def test_they_would_without_the_patches(tmp_path):
    """So the values are such that harm would be seen."""
    found = tried(tmp_path / 'unpatched', 'unpatched')
    assert found['traces'] == ['trace']
    noted = '\n'.join(found['noted'])
    for what in ('load pkl: pickle.find_class', 'backend memcached: import: mc', 'task util CameraMotionCompensation'):
        assert what in noted
    for what in ('dataset CocoCaptionDataset', 'read py: exec: ', 'backend http: urllib.Request', 'address http'):
        assert what in noted
