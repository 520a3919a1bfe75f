"""Weights: which file is chosen, that nothing is executed, what fits."""

from __future__ import annotations

import errno
import logging
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from executor.contract.errors import ModelError
from executor.weights import checkpoint as checkpoints
from executor.weights.checkpoint import (
    architecture,
    best_weights,
    choose_weights,
    load_weights,
    model_parameters,
    read_checkpoint,
    save_weights,
)
from executor.weights.restricted_unpickler import Forgotten


class Detector(torch.nn.Module):
    """A backbone and a head of one class layer."""

    def __init__(self, classes: int = 2, width: int = 4) -> None:
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, width, 3)
        self.neck = torch.nn.Conv2d(4, 4, 3)
        self.bbox_head = torch.nn.Conv2d(4, classes, 1)


class Touch:
    """Unpickling this runs a command."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return os.system, (f'touch {self._path}',)


def stage_file(folder: Path, name: str, **meta: float) -> Path:
    save_weights(folder / name, {'w': torch.zeros(1)}, meta)
    return folder / name


@pytest.mark.parametrize(
    'config_file, name',
    [
        ('configs/yolox/yolox_tiny_8x8_300e_coco.py', 'yolox_tiny'),
        ('configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 'rtmdet_tiny'),
        ('configs/retinanet/retinanet_r50_fpn_1x_coco.py', 'retinanet_r50_fpn_1x_coco'),
        ('mine.py', 'mine'),
    ],
)
def test_architecture_of_a_config_name(config_file, name):
    assert architecture(config_file) == name


def test_the_best_weights_count_then_the_latest_never_the_files_time(tmp_path):
    low = stage_file(tmp_path, 'epoch_9.pth', mAP=0.5, epoch=9)
    best = stage_file(tmp_path, 'epoch_3.pth', mAP=0.7, epoch=3)
    best_too = stage_file(tmp_path, 'epoch_4.pth', mAP=0.7, epoch=4)
    for age, file in enumerate((best_too, best, low)):
        os.utime(file, (1000 + age, 1000 + age))
    assert choose_weights([low, best, best_too, tmp_path / 'config.py'], 'x.py') == best_too


def test_without_a_package_the_images_weights_are_used(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, 'IMAGE_WEIGHTS', tmp_path)
    assert choose_weights([], 'configs/yolox/yolox_s_8x8_300e_coco.py') is None
    for name in ('yolox_small.pth', 'yolox_s_8x8_300e_coco-abc.pth', 'readme_yolox_s.txt'):
        (tmp_path / name).write_bytes(b'')
    assert choose_weights([], 'configs/yolox/yolox_s_8x8_300e_coco.py').name == 'yolox_s_8x8_300e_coco-abc.pth'
    assert choose_weights([], 'configs/yolox/yolox_nano_8x8_300e_coco.py') is None


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


def test_a_torchscript_archive_is_not_run(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / 'script.pth'))
    with pytest.raises(ModelError, match='script.pth.*TorchScript'):
        read_checkpoint(tmp_path / 'script.pth')


def test_the_log_that_mmdet_keeps_beside_its_weights_is_forgotten(tmp_path):
    """What mmengine's runner saves, and torch's own reader refuses."""
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    content = {'state_dict': {'w': torch.ones(2)}, 'message_hub': {'loss': history}, 'meta': {'mAP': np.float64(0.5)}}
    torch.save(content, str(tmp_path / 'published.pth'))
    checkpoint = read_checkpoint(tmp_path / 'published.pth')
    assert torch.equal(checkpoint['state_dict']['w'], torch.ones(2))
    assert type(checkpoint['message_hub']['loss']) is Forgotten
    assert best_weights([tmp_path / 'published.pth'] * 2) == tmp_path / 'published.pth'


@pytest.mark.parametrize('data', [b'', b'no weights', b'PK\x03\x04 cut off'])
def test_a_broken_file_is_named(tmp_path, data):
    (tmp_path / 'cut.pth').write_bytes(data)
    with pytest.raises(ModelError, match='cut.pth'):
        read_checkpoint(tmp_path / 'cut.pth')


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


@pytest.mark.parametrize(
    'checkpoint',
    [
        {'state_dict': {'a': torch.ones(1)}, 'meta': {}},
        {'model': {'a': torch.ones(1)}},
        {'a': torch.ones(1)},
        {'state_dict': {'module.a': torch.ones(1)}, 'optimizer': {}},
    ],
)
def test_parameters_wherever_they_are_kept(checkpoint):
    assert list(model_parameters(checkpoint, Path('x.pth'))) == ['a']


def test_a_file_without_parameters():
    with pytest.raises(ModelError, match='holds no parameters'):
        model_parameters({'epoch': 3}, Path('x.pth'))


def test_a_head_of_other_classes_is_left_out_and_the_rest_loaded(tmp_path, caplog):
    file = tmp_path / 'w.pth'
    source, model = Detector(classes=80), Detector(classes=3)
    head = model.bbox_head.weight.clone()
    save_weights(file, source.state_dict(), {})
    with caplog.at_level(logging.INFO):
        load_weights(model, file)
    assert torch.equal(model.backbone.weight, source.backbone.weight)
    assert torch.equal(model.bbox_head.weight, head)
    assert 'left out, made for other classes: bbox_head.weight, bbox_head.bias' in caplog.text


@pytest.mark.parametrize(
    'parameters', [Detector(width=5).state_dict(), {'other': torch.ones(1)}], ids=['other width', 'other names']
)
def test_another_architecture_is_an_error_not_a_start_from_scratch(tmp_path, parameters):
    save_weights(tmp_path / 'w.pth', parameters, {})
    with pytest.raises(ModelError, match='does not fit the model of config_file'):
        load_weights(Detector(), tmp_path / 'w.pth')


def test_saved_weights_hold_parameters_and_facts_alone(tmp_path):
    model = Detector()
    save_weights(tmp_path / 'deep' / 'w.pth', model.state_dict(), {'epoch': 3, 'mAP': 0.5})
    saved = read_checkpoint(tmp_path / 'deep' / 'w.pth')
    assert set(saved) == {'meta', 'state_dict'}
    assert saved['meta'] == {'epoch': 3, 'mAP': 0.5}
    assert set(saved['state_dict']) == set(model.state_dict())
    assert [p.name for p in (tmp_path / 'deep').iterdir()] == ['w.pth']


def test_a_damaged_file_is_named_wherever_the_damage_is(tmp_path):
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


def test_a_full_disk_is_an_error_of_the_disk_and_leaves_the_weights_before(tmp_path, monkeypatch):
    """torch's own writer would tell it as a RuntimeError about positions in a file."""
    save_weights(tmp_path / 'w.pth', {'w': torch.ones(1)}, {'epoch': 1})

    def write_bytes(self, data):
        with self.open('wb') as stream:
            stream.write(bytes(data[:10]))
        raise OSError(errno.ENOSPC, 'No space left on device', str(self))

    monkeypatch.setattr(Path, 'write_bytes', write_bytes)
    with pytest.raises(OSError) as caught:
        save_weights(tmp_path / 'w.pth', {'w': torch.zeros(1)}, {'epoch': 2})
    assert caught.value.errno == errno.ENOSPC
    assert [file.name for file in tmp_path.iterdir()] == ['w.pth']
    assert read_checkpoint(tmp_path / 'w.pth')['meta'] == {'epoch': 1}
