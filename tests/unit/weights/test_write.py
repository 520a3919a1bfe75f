"""Weights are written whole, and hold no more than the platform needs."""

from __future__ import annotations

import errno
import resource

import pytest
import torch

from executor.weights.checkpoint import read_checkpoint
from executor.weights.write import save_weights


def test_saved_weights_hold_parameters_and_facts_alone(tmp_path):
    model = torch.nn.Linear(3, 2)
    save_weights(tmp_path / 'deep' / 'w.pth', model.state_dict(), {'epoch': 3, 'mAP': 0.5})
    saved = read_checkpoint(tmp_path / 'deep' / 'w.pth')
    assert set(saved) == {'meta', 'state_dict'}
    assert saved['meta'] == {'epoch': 3, 'mAP': 0.5}
    assert set(saved['state_dict']) == set(model.state_dict())
    assert [p.name for p in (tmp_path / 'deep').iterdir()] == ['w.pth']


def test_a_full_disk_is_an_error_of_the_disk_and_leaves_the_weights_before(tmp_path):
    """torch's own writer would tell it as a RuntimeError about positions in a file."""
    save_weights(tmp_path / 'w.pth', {'w': torch.ones(1)}, {'epoch': 1})
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # bytes, of any file
    try:
        with pytest.raises(OSError) as caught:
            save_weights(tmp_path / 'w.pth', {'w': torch.zeros(1)}, {'epoch': 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    assert caught.value.errno == errno.EFBIG
    assert [file.name for file in tmp_path.iterdir()] == ['w.pth']
    assert read_checkpoint(tmp_path / 'w.pth')['meta'] == {'epoch': 1}
