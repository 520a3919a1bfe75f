"""Configs as data: read without running, written so that they read back the same."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from executor.config import patches, plain
from executor.config.plain import config_text, read_plain_config
from executor.config.read import load_config
from executor.contract.errors import ModelError


@pytest.mark.parametrize(
    'text, line',
    [
        ('import os\n', 1),
        ('a = 1\nb = __import__("os").system("touch hacked")\n', 2),
        ('a = [x for x in (1, 2)]\n', 1),
        ('a = 1\n\na.b = 2\n', 3),
        ('a = dict(**{"b": 1})\n', 1),
        ('a = f"{1}"\n', 1),
        ('open("hacked", "w")\n', 1),
        ('a = {**{"b": 1}}\n', 1),
        ('a = (\n', 1),
    ],
)
def test_what_could_run_is_refused_with_its_line(tmp_path, monkeypatch, text, line):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / 'package.py'
    file.write_text(text)
    with pytest.raises(ModelError, match=rf'package\.py:{line}:'):
        read_plain_config(file)
    assert not (tmp_path / 'hacked').exists()


def test_a_file_that_would_take_all_memory_is_not_parsed(tmp_path, monkeypatch):
    file = tmp_path / 'package.py'
    file.write_text('a = [' + '[],' * 100 + ']\n')
    assert len(read_plain_config(file)['a']) == 100
    monkeypatch.setattr(plain, '_MOST_BYTES', 200)
    with pytest.raises(ModelError, match='package.py:1: not a config file .*307 bytes, where 200 are the most'):
        read_plain_config(file)


def test_literals_of_every_kind(tmp_path):
    file = tmp_path / 'package.py'
    file.write_text('"""A config."""\na = dict(b=[1, -2.5, (None, True)], c={"d": "e"})\nf = float("inf")\n')
    assert read_plain_config(file) == {'a': {'b': [1, -2.5, (None, True)], 'c': {'d': 'e'}}, 'f': float('inf')}


@pytest.mark.parametrize(
    'text, gpus',
    [('range(0, 2)', (0, 1)), ('range(3)', (0, 1, 2)), ('range(10**9)', None), ('range(0, 10000000)', 1000)],
)
def test_the_gpus_of_mmdet_2_are_a_range(tmp_path, text, gpus):
    """Never more of them than any machine has."""
    file = tmp_path / 'package.py'
    file.write_text(f'gpu_ids = {text}\n')
    if gpus is None:
        with pytest.raises(ModelError, match='found BinOp'):
            read_plain_config(file)
    else:
        assert read_plain_config(file) == {'gpu_ids': tuple(range(gpus)) if isinstance(gpus, int) else gpus}


@pytest.mark.parametrize(
    'text', ['range()', 'range("a")', 'range(0, 9, 0)', 'range(1, stop=2)', 'range(open("hacked"))']
)
def test_what_is_no_range_is_told(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'package.py').write_text(f'a = 1\ngpu_ids = {text}\n')
    with pytest.raises(ModelError, match=r'package\.py:2:'):
        read_plain_config(tmp_path / 'package.py')
    assert [file.name for file in tmp_path.iterdir()] == ['package.py']


def test_the_saved_config_reads_back_the_same_by_us_and_by_mmengine(tmp_path, monkeypatch):
    config = load_config('configs/yolox/yolox_nano_8x8_300e_coco.py')
    config.train_cfg['max_iters'] = float('inf')
    config.train_cfg['limits'] = [float('inf'), -float('inf')]
    config.model.bbox_head['names'] = ['ratio: info']
    file = tmp_path / 'saved.py'
    file.write_text(config_text(config))
    plain = read_plain_config(file)
    assert plain['model'] == config.model.to_dict()
    assert plain['train_dataloader'] == config.train_dataloader.to_dict()
    assert plain['train_cfg'] == config.train_cfg.to_dict()
    monkeypatch.setattr(patches, 'is_trusted', lambda file: True)
    assert Config.fromfile(str(file)).to_dict() == plain
    assert 'closing_epochs' not in plain  # only helped to write the config
