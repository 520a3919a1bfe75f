"""Checkpoints: nothing in them is executed, parameters are found wherever they are, and weights are written whole."""

from __future__ import annotations

import errno
import math
import os
import pickle
import resource
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from executor.contract.errors import ModelError
from executor.weights.checkpoint import class_ap_of, class_names_of, model_parameters, read_checkpoint, save_weights


class Touch:
    """Unpickling this runs a command."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return os.system, (f'touch {self._path}',)


@pytest.mark.parametrize('how', ['torch', 'torch before 1.6', 'pickle'])
def test_code_in_a_weight_file_is_refused_and_not_run(tmp_path, how):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    content = {'state_dict': {'w': torch.zeros(1)}, 'extra': Touch(trace)}
    if how == 'pickle':
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, str(path), _use_new_zipfile_serialization=how == 'torch')
    with pytest.raises(ModelError, match='evil.pth'):
        read_checkpoint(path)
    assert not trace.exists()


def test_the_log_that_mmdet_keeps_beside_its_weights_is_forgotten(tmp_path):
    """What mmengine's runner saves, and torch's own reader refuses."""
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    content = {'state_dict': {'w': torch.ones(2)}, 'message_hub': {'loss': history}, 'meta': {'mAP': np.float64(0.5)}}
    torch.save(content, str(tmp_path / 'published.pth'))
    checkpoint = read_checkpoint(tmp_path / 'published.pth')
    assert torch.equal(checkpoint['state_dict']['w'], torch.ones(2))
    assert checkpoint['message_hub'] == {'loss': None} and checkpoint['meta'] == {'mAP': None}


@pytest.mark.parametrize('zipped', [True, False])
def test_tensors_and_plain_values_are_read(tmp_path, zipped):
    content = {
        'meta': {'epoch': 3, 'classes': ('a', 'b'), 'rate': 0.5, 'none': None},
        'state_dict': OrderedDict(w=torch.arange(6.0).reshape(2, 3), n=torch.tensor(7), h=torch.ones(2).half()),
        'p': torch.nn.Parameter(torch.ones(1)),
    }
    torch.save(content, str(tmp_path / 'w.pth'), _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / 'w.pth')
    assert read['meta'] == content['meta']
    assert all(torch.equal(read['state_dict'][name], value) for name, value in content['state_dict'].items())


def test_parameters_wherever_they_are_kept():
    held, wrapped = {'a': torch.ones(1)}, {'module.a': torch.ones(1)}
    for checkpoint in (held, {'model': held}, {'state_dict': held, 'meta': {}}, {'state_dict': wrapped, 'meta': {}}):
        assert list(model_parameters(checkpoint, Path('x.pth'))) == ['a']
    with pytest.raises(ModelError, match='x.pth holds no parameters: choose a checkpoint of mmdet, Megvii YOLOX'):
        model_parameters({'epoch': 3}, Path('x.pth'))


def test_what_mmdet_2_did_not_average_is_left_out():
    """It stands under `ema_` and the name with `_` for each dot; other names may begin so, too."""
    averaged = {'a.b_c': torch.ones(1), 'ema_head.w': torch.ones(1), 'ema_x': torch.ones(1)}
    not_averaged = {'ema_a_b_c': torch.zeros(1), 'ema_ema_head_w': torch.zeros(1)}
    assert model_parameters({'state_dict': {**not_averaged, **averaged}}, Path('x.pth')) == averaged


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
def test_parameters_that_are_not_finite_are_refused(bad, dtype):
    """1e300 is finite in double precision alone, which no detector has."""
    values = torch.tensor([0.0, bad], dtype=dtype)
    with pytest.raises(ModelError, match='x.pth: b holds numbers that are not finite'):
        model_parameters({'a': torch.ones(2), 'b': values}, Path('x.pth'))
    largest = {'a': torch.tensor(6e4, dtype=dtype), 'n': torch.tensor(2**62), 'flag': torch.tensor(True)}
    assert model_parameters({**largest, 'log': bad}, Path('x.pth')) == largest


def test_parameters_have_text_for_names():
    with pytest.raises(ModelError, match='x.pth: a parameter is called 3, expected text'):
        model_parameters({'a': torch.ones(1), 3: torch.ones(1)}, Path('x.pth'))


@pytest.mark.parametrize(
    'checkpoint, names',
    [
        ({'meta': {'dataset_meta': {'classes': ('cat', 'dog')}}}, ('cat', 'dog')),
        ({'meta': {'CLASSES': ['cat', 'dog']}}, ('cat', 'dog')),  # mmdet 2's
        ({'meta': {'dataset_meta': {'classes': ()}}}, None),
        ({'meta': {'CLASSES': 'cat'}}, None),
        ({'meta': {'CLASSES': ('cat', 7)}}, None),
        ({'meta': {'CLASSES': ('cat', ['dog'])}}, None),
        ({'meta': None}, None),
        ({}, None),
    ],
)
def test_class_names_of_both_mmdets(checkpoint, names):
    assert class_names_of(checkpoint) == names


@pytest.mark.parametrize(
    'recorded, found',
    [
        ({'cat': 0.25, 'dog': 0.0}, (0.0, 0.25)),  # in the order of the model's classes
        ({'cat': 0.25, 'dog': 1.0, 'cow': 0.5}, (1.0, 0.25)),
        ({}, None),  # not validated
        ({'cat': 0.25}, None),
        ({'cat': 0.25, 'dog': 1.5}, None),
        ({'cat': 0.25, 'dog': math.nan}, None),
        ({'cat': 0.25, 'dog': 'high'}, None),
        ((0.25, 0.5), None),
        (None, None),  # of others
    ],
)
def test_the_ap_of_the_classes_by_their_names(recorded, found):
    assert class_ap_of({'meta': {'dataset_meta': {'classes': ('dog', 'cat')}, 'class_ap': recorded}}) == found
    assert class_ap_of({'meta': {'class_ap': recorded}}) is None


def test_a_damaged_file_is_named_wherever_the_damage_is(tmp_path):
    for data in (b'', b'no weights', b'PK\x03\x04 cut off'):
        (tmp_path / 'cut.pth').write_bytes(data)
        with pytest.raises(ModelError, match='cut.pth'):
            read_checkpoint(tmp_path / 'cut.pth')
    torch.save({'state_dict': {'w': torch.ones(20)}, 'meta': {'epoch': 1}}, str(tmp_path / 'sound.pth'))
    sound = (tmp_path / 'sound.pth').read_bytes()
    refused = 0
    for position in range(0, len(sound), 7):
        damaged = bytearray(sound)
        damaged[position] ^= 0xFF
        (tmp_path / 'damaged.pth').write_bytes(damaged)
        try:
            read_checkpoint(tmp_path / 'damaged.pth')
        except ModelError as error:
            assert 'damaged.pth' in str(error)
            refused += 1
    assert refused > 10


def test_saved_weights_hold_parameters_and_facts_alone(tmp_path):
    model = torch.nn.Linear(3, 2)
    save_weights(tmp_path / 'deep' / 'w.pth', model.state_dict(), {'epoch': 3, 'mAP': 0.5})
    saved = read_checkpoint(tmp_path / 'deep' / 'w.pth')
    assert (set(saved), saved['meta']) == ({'meta', 'state_dict'}, {'epoch': 3, 'mAP': 0.5})
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
