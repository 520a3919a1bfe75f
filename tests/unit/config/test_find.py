"""Where the config lies that a task names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo.task_folder import add_model_file
from executor.config.find import (
    OUR_CONFIGS,
    REPOSITORY,
    check_config_file,
    find_config,
    is_trusted,
    mmdet_configs,
    our_configs,
)
from executor.contract.errors import ConfigError, ParameterError
from tests.support.refusal import refusal
from tests.support.task_folder import TaskFolder, line_of

NANO = 'configs/yolox/yolox_nano_8x8_300e_coco.py'
RETINANET = 'configs/retinanet/retinanet_r50_fpn_1x_coco.py'


def test_one_of_ours_and_one_of_mmdet():
    assert find_config(NANO, []) == OUR_CONFIGS / 'yolox/yolox_nano_8x8_300e_coco.py'
    assert find_config(str(REPOSITORY / NANO), []) == REPOSITORY / NANO
    assert find_config(RETINANET, []) == mmdet_configs() / RETINANET


def test_of_what_mmdet_brings_its_configs_alone_are_trusted(tmp_path):
    tool = mmdet_configs() / 'tools/train.py'
    assert tool.is_file() and not is_trusted(tool)
    assert is_trusted(mmdet_configs() / 'configs/retinanet/retinanet_r50_fpn_1x_coco.py')
    (tmp_path / 'link.py').symlink_to(tool)
    assert not is_trusted(tmp_path / 'link.py') and not is_trusted(OUR_CONFIGS / '../executor/log.py')


def test_ours_are_listed_from_the_folder(tmp_path, monkeypatch):
    sizes = ('l', 'm', 'nano', 's', 'tiny', 'x')
    names = [name for name in our_configs() if name.startswith('configs/yolox/')]
    assert names == [f'configs/yolox/yolox_{size}_8x8_300e_coco.py' for size in ('darknet53', *sizes)]
    for name in ('configs/b/b.py', 'configs/a/a.py', 'configs/a/_base_/c.py', 'configs/a/d.md'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr('executor.config.find.REPOSITORY', tmp_path)
    monkeypatch.setattr('executor.config.find.OUR_CONFIGS', tmp_path / 'configs')
    assert our_configs() == ['configs/a/a.py', 'configs/b/b.py']


def test_looking_for_mmdets_configs_does_not_import_mmdet():
    find = f'from executor.config.find import find_config; find_config({RETINANET!r}, [])'
    code = f'{find}; import sys; print("mmdet" in sys.modules)'
    run = subprocess.run([sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert run.stdout == 'False\n', run.stderr


def test_a_file_of_the_package_and_one_of_ours_come_before_one_of_that_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('my.py', 'package/my.py', NANO):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('a = 1\n')
    assert find_config('my.py', [tmp_path / 'package/other.py', tmp_path / 'package/my.py']).parent.name == 'package'
    assert find_config('my.py', []) == find_config(str(tmp_path / 'my.py'), []) == (tmp_path / 'my.py').resolve()
    assert find_config(NANO, []) == REPOSITORY / NANO


@pytest.mark.parametrize(
    'name',
    ['nowhere.py', 'configs/yolox', 'start', 'README.md', 'null\0byte.py', 'x' * 300 + '.py', '.py', ''],
    ids=['nothing', 'a folder', 'without suffix', 'no config', 'no path', 'too long', 'suffix alone', 'empty'],
)
def test_there_is_none(tmp_path, name):
    with pytest.raises(ParameterError) as caught:
        find_config(name, [tmp_path / 'a.pth', tmp_path / 'lost.py'])
    assert caught.value.key == 'config_file'
    message = str(caught.value)
    assert message.startswith(f'config_file {name!r}'[:90])
    assert ' does not exist: use a config of this image such as configs/yolox/' in message
    assert message.endswith('or one of the pretrained model (lost.py)')


def test_a_model_without_a_config_is_told(tmp_path):
    with pytest.raises(ParameterError, match=r'one of the pretrained model \(it has none\)$'):
        find_config('nowhere.py', [tmp_path / 'a.pth'])


@pytest.mark.parametrize('tasks', [('training',), ('mining',), ('infer',), ('mining', 'infer')])
def test_a_task_may_leave_its_config_out_but_one_that_is_missing_is_told_with_the_line(ymir_task: TaskFolder, tasks):
    check_config_file(ymir_task.job(*tasks))
    job = ymir_task.job(*tasks, config_file='nowhere.py')
    place = f'{ymir_task.config_file}:{line_of(ymir_task.config_file, "config_file:")}'
    told = refusal(ConfigError, check_config_file, job)
    assert told.startswith(f"{place}: config_file 'nowhere.py' does not exist: ")


@pytest.mark.parametrize(
    'task, key',
    [('training', 'pretrained_model_params'), ('mining', 'model_params_path'), ('infer', 'model_params_path')],
)
def test_a_task_may_name_a_config_of_its_model(ymir_task: TaskFolder, task, key):
    file: Path = add_model_file(ymir_task.root, 'stage/my.py')
    check_config_file(ymir_task.job(task, config_file='my.py', **{key: [str(file)]}))
