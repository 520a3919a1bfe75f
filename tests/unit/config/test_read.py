"""Config files as mmengine's: ours, mmdet's, and a package's, which is never run."""

from __future__ import annotations

import pytest

from executor.config.read import load_config, outer_pipeline
from executor.contract.errors import ModelError


def test_a_file_of_the_package_is_found_by_its_name(tmp_path):
    file = tmp_path / 'yolox_tiny.py'
    file.write_text('model = {"type": "YOLOX"}\ntrain_dataloader = {}\n')
    assert load_config('yolox_tiny.py', [tmp_path / 'a.pth', file]).model.type == 'YOLOX'


def test_mmdets_own_config_is_found_as_users_write_it():
    assert load_config('configs/retinanet/retinanet_r50_fpn_1x_coco.py').model.type == 'RetinaNet'


def test_a_config_of_mmdet_2_is_told_from_one_of_3(tmp_path):
    file = tmp_path / 'old.py'
    file.write_text('model = dict(type="YOLOX")\ndata = dict(samples_per_gpu=8)\n')
    with pytest.raises(
        ModelError, match='no complete mmdet 3 config.* such as configs/yolox/yolox_tiny_8x8_300e_coco.py$'
    ):
        load_config(str(file))


@pytest.mark.parametrize(
    'dataset, pipeline',
    [
        ({'pipeline': [1]}, [1]),
        ({'dataset': {'datasets': [{'pipeline': [2]}, {'pipeline': [3]}]}}, [2]),
        ({'pipeline': [4], 'dataset': {'pipeline': [5]}}, [4]),
    ],
)
def test_the_outermost_pipeline(dataset, pipeline):
    assert outer_pipeline(dataset) == pipeline


def test_a_dataset_without_a_pipeline():
    with pytest.raises(ValueError, match=r'the dataset \(CocoDataset\) has no pipeline'):
        outer_pipeline({'dataset': {'type': 'CocoDataset'}})
