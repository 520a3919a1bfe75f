"""Darknet's files: known by how much they hold, and told when they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from executor.contract.errors import ModelError
from executor.models import families
from executor.models.families import FAMILIES, Family
from executor.weights.checkpoint import model_parameters, read_checkpoint
from executor.weights.choose import best_weights


class Three:
    """The layout of a network of three numbers."""

    name = 'Three'

    def fits(self, count):
        return count == 3

    def to_mmdet(self, numbers):
        return {'a': numbers[:1], 'b': numbers[1:]}


@pytest.fixture(autouse=True)
def row(monkeypatch):
    family = Family('three', torch.nn.Module, None, number_layouts=(Three(),))
    monkeypatch.setattr(families, 'FAMILIES', (*FAMILIES, family))


def write(path: Path, version, seen: int, numbers) -> Path:
    path.write_bytes(np.array(version, '<i4').tobytes() + bytes(seen) + np.array(numbers, '<f4').tobytes())
    return path


@pytest.mark.parametrize('version, seen', [((0, 1, 0), 4), ((0, 2, 0), 8), ((0, 2, 5), 8), ((1, 0, 0), 8)])
def test_the_version_decides_where_the_numbers_begin(tmp_path, version, seen):
    file = write(tmp_path / 'x.weights', version, seen, [1, 2, 3])
    parameters = model_parameters(read_checkpoint(file), file)
    assert {name: value.tolist() for name, value in parameters.items()} == {'a': [1], 'b': [2, 3]}


@pytest.mark.parametrize('content', [b'', b'\0' * 11, b'\0' * 12, b'\0' * 16, b'weights of some kind'])
def test_a_file_without_numbers_is_no_weight_file(tmp_path, content):
    (tmp_path / 'x.weights').write_bytes(content)
    told = rf'x.weights is no weight file of darknet, or is cut off \({len(content)} bytes\): copy it again'
    with pytest.raises(ModelError, match=told):
        read_checkpoint(tmp_path / 'x.weights')


def test_part_of_a_number_is_told(tmp_path):
    file = write(tmp_path / 'x.weights', (0, 2, 0), 8, [1, 2, 3])
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match='cut off'):
        read_checkpoint(file)


def test_another_network_is_told_with_those_that_are_read(tmp_path):
    file = write(tmp_path / 'x.weights', (0, 2, 0), 8, [1, 2])
    told = (
        'x.weights holds 2 numbers, as none of YOLOv3, YOLOv3-SPP, the backbone Darknet-53, Three does: it is cut off'
    )
    with pytest.raises(ModelError, match=told):
        read_checkpoint(file)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    file = write(tmp_path / 'x.weights', (0, 2, 0), 8, [1, np.nan, 3])
    with pytest.raises(ModelError, match='x.weights: b holds numbers that are not finite'):
        model_parameters(read_checkpoint(file), file)


def test_what_is_no_file_is_told(tmp_path):
    (tmp_path / 'x.weights').mkdir()
    with pytest.raises(ModelError, match=r'x.weights cannot be read \(Is a directory\)'):
        read_checkpoint(tmp_path / 'x.weights')


def test_they_are_weights_of_a_package(tmp_path):
    file = tmp_path / 'x.weights'
    assert best_weights([tmp_path / 'x.cfg', file]) == file
