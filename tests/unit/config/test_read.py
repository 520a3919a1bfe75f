"""Config files as mmengine's: ours, mmdet's, and a package's, which is never run and cannot name what would be."""

from __future__ import annotations

import pytest

from executor.config.our_data import outer_pipeline
from executor.config.plain import config_text
from executor.config.read import load_config
from executor.contract.errors import ModelError
from tests.support.random_model import NANO
from tests.unit.config.test_allowed import NOT_ALLOWED


def test_configs_of_the_package_and_of_mmdet_are_found_as_users_write_them(tmp_path):
    file = tmp_path / 'yolox_tiny.py'
    file.write_text('model = {"type": "YOLOX"}\ntrain_dataloader = {}\n')
    assert load_config('yolox_tiny.py', [tmp_path / 'a.pth', file]).model.type == 'YOLOX'
    assert load_config('configs/retinanet/retinanet_r50_fpn_1x_coco.py').model.type == 'RetinaNet'


def test_a_config_that_says_nothing_of_its_data_is_told(tmp_path):
    file = tmp_path / 'old.py'
    file.write_text('model = dict(type="YOLOX")\n')
    message = 'no complete config of mmdet 3 or 2, without train_.* such as configs/yolox/yolox_tiny_8x8_300e_coco.py$'
    with pytest.raises(ModelError, match=message):
        load_config(str(file))


@pytest.mark.parametrize('key, value', NOT_ALLOWED)
def test_a_package_that_holds_something_else_is_refused(tmp_path, key, value):
    config = load_config(NANO)
    config.merge_from_dict({key: value})
    (tmp_path / 'config.py').write_text(config_text(config))
    with pytest.raises(ModelError) as error:
        load_config('config.py', [tmp_path / 'config.py'])
    assert f'config.py: {key} must be ' in str(error.value)
    assert f', found {value!r}: ' in str(error.value)


def test_the_outermost_pipeline_counts():
    assert outer_pipeline({'pipeline': [1]}) == [1]
    assert outer_pipeline({'dataset': {'datasets': [{'pipeline': [2]}, {'pipeline': [3]}]}}) == [2]
    assert outer_pipeline({'pipeline': [4], 'dataset': {'pipeline': [5]}}) == [4]
    with pytest.raises(ValueError, match=r'the dataset \(CocoDataset\) has no pipeline'):
        outer_pipeline({'dataset': {'type': 'CocoDataset'}})
