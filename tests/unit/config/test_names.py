"""Which of today's configs a name of mmdet 2 means: all 634 of 2.22 and 2.28, and the rules one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.config.find import OUR_CONFIGS, REPOSITORY, find_config, find_of_image, mmdet_configs
from executor.config.names import former_names, nearest_names, todays_name
from executor.contract.errors import ParameterError

CONFIGS = ['configs/ours/yolox_s_8x8_300e_coco.py']
MMDETS = [
    'configs/yolox/yolox_s_8xb8-300e_coco.py',
    'configs/faster_rcnn/faster-rcnn_r50-caffe_fpn_ms-3x_coco.py',
    'configs/faster_rcnn/faster-rcnn_r50_fpn_amp-1x_coco.py',
    'configs/resnest/faster-rcnn_s50_fpn_syncbn-backbone+head_ms-1x_coco.py',
    'configs/vfnet/vfnet_res2net-101_fpn_ms-2x_coco.py',
    'configs/lad/lad_r101-paa-r50_fpn_2xb8_coco_1x.py',
    'configs/lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py',
]
METAFILE = """Collections:
  - Name: LAD

Models:
  - Name: lad_r101-paa-r50_fpn_coco_1x
    In Collection: LAD
    Config: configs/lad/lad_r101-paa-r50_fpn_2xb8_coco_1x.py
    Weights: https://example.org/v2.0/lad/lad_r101_paa_r50%2Bfpn_coco_1x/lad_r101_20220708_124246-74c76ff0.pth
  - Name: lad_r50_gone
    Config: configs/lad/gone.py
  - Name: of_both
    Config: configs/lad/lad_r101-paa-r50_fpn_2xb8_coco_1x.py
  - Name: of_both
    Config: configs/lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py
"""


def rows() -> list[tuple[str, str | None]]:
    """Each name of mmdet 2, and the path that it is found at today."""
    lines = (Path(__file__).parent / 'names_of_mmdet2.tsv').read_text(encoding='utf-8').splitlines()[1:]
    pairs = [line.split('\t') for line in lines]
    return [(f'configs/{old}', None if new == '-' else f'configs/{old if new == "=" else new}') for old, new in pairs]


def test_every_name_of_mmdet_2_is_found_or_told_with_the_nearest():
    found = {name: find_of_image(name) for name, _ in rows()}
    assert len(found) == 634
    roots = (REPOSITORY, mmdet_configs())
    expected = {old: next((r / new for r in roots if (r / new).is_file()), None) for old, new in rows() if new}
    assert {name: path for name, path in found.items() if path is not None} == expected
    lost = [name for name, path in found.items() if path is None]
    assert len(lost) == 29
    for name in lost:
        with pytest.raises(ParameterError, match=r'does not exist \(the nearest are configs/'):
            find_config(name, [])
    unchanged = [name for name, path in found.items() if path == mmdet_configs() / name]
    assert len(unchanged) == 59


def test_no_two_names_mean_one_config_but_where_one_only_chose_a_precision_or_a_chip():
    meant: dict[str, list[str]] = {}
    for old, new in rows():
        meant.setdefault(new or '', []).append(Path(old).stem)
    same = [olds for new, olds in meant.items() if new and len(olds) > 1]
    plain = [[name for name in olds if 'fp16' not in name and 'ascend' not in name] for olds in same]
    assert [len(names) for names in plain] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    'old, new',
    [
        ('configs/faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
        ('retinanet_r50_fpn_1x_coco.py', 'retinanet/retinanet_r50_fpn_1x_coco.py'),
        ('fcos_r50_caffe_fpn_gn-head_4x4_1x_coco.py', 'fcos/fcos_r50-caffe_fpn_gn-head_4xb4-1x_coco.py'),
        ('configs/yolo/yolov3_d53_mstrain-608_273e_coco.py', 'yolo/yolov3_d53_8xb8-ms-608-273e_coco.py'),
        ('configs/yolox/yolox_nano_8xb8-300e_coco.py', 'yolox/yolox_nano_8xb8-300e_coco.py'),
    ],
)
def test_names_that_users_type(old, new):
    assert find_config(old, []) == mmdet_configs() / 'configs' / new


def test_ours_come_before_mmdets():
    assert find_config('yolox_s_8x8_300e_coco.py', []) == OUR_CONFIGS / 'yolox/yolox_s_8x8_300e_coco.py'


def test_a_path_from_the_root_and_a_name_without_its_end_are_no_names():
    for name in ('/in/retinanet_r50_fpn_1x_coco.py', 'retinanet_r50_fpn_1x_coco'):
        with pytest.raises(ParameterError, match='does not exist'):
            find_config(name, [])


@pytest.mark.parametrize(
    'name, found',
    [
        ('a/b/yolox_s_8x8_300e_coco.py', CONFIGS[0]),
        ('faster_rcnn_r50_caffe_fpn_mstrain_3x_coco.py', MMDETS[1]),
        ('faster_rcnn_r50_fpn_fp16_1x_coco.py', MMDETS[2]),
        ('faster_rcnn_s50_fpn_syncbn-backbone+head_mstrain_1x_coco.py', MMDETS[3]),
        ('vfnet_r2_101_fpn_mstrain_2x_coco.py', MMDETS[4]),
        ('lad_r101_paa_r50+fpn_coco_1x.py', MMDETS[5]),
        ('lad_r101-paa-r50_fpn_coco_1x.py', MMDETS[5]),
        ('lad_r101_paa_r50_fpn_2xb8_coco_1x.py', None),
        ('lad_r50_gone.py', None),
        ('of_both.py', None),
        ('yolox_s_300e_coco.py', None),
    ],
)
def test_each_rule(tmp_path, name, found):
    (tmp_path / 'metafile.yml').write_text(METAFILE)
    assert todays_name(name, (CONFIGS, MMDETS), former_names([tmp_path / 'metafile.yml'])) == found


def test_the_nearest_are_few_and_like_it():
    assert nearest_names('faster_rcnn_r50_caffe_fpn_3x_coco.py', MMDETS)[0] == MMDETS[1]
    assert nearest_names('zzz', MMDETS) == nearest_names('', MMDETS) == []
    assert len(nearest_names('lad_' + 'x' * 10**6, MMDETS)) <= 3
