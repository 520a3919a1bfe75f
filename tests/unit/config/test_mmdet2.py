"""Configs of mmdet 2: what of them is kept, where it stands today, and that they are data like any other."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest

from executor.config.mmdet2 import architecture_of, as_mmdet3, is_mmdet2
from executor.config.our_data import outer_pipeline
from executor.config.plain import config_text
from executor.config.read import load_config, load_config_of_weights
from executor.contract.errors import ModelError, ParameterError
from tests.support.mmdet2 import CONFIG, nano_config, pipeline_of_test, text_of
from tests.support.random_model import NANO

NORMALIZE = {'type': 'Normalize', 'mean': [1.0, 2.0, 3.0], 'std': [4.0, 5.0, 6.0], 'to_rgb': True}
RESIZE = {'type': 'Resize', 'keep_ratio': True}
ENDS = ({'type': 'LoadAnnotations', 'with_bbox': True}, 'PackDetInputs')
BASE = {
    'model': {
        'type': 'Base',
        'data_preprocessor': {
            **{'type': 'DetDataPreprocessor', 'mean': [9], 'std': [9], 'bgr_to_rgb': True, 'pad_size_divisor': 9},
            'batch_augments': [{'type': 'BatchSyncRandomResize'}],
        },
    },
    'val_dataloader': {'num_workers': 3, 'dataset': {'type': 'CocoDataset', 'pipeline': []}},
    'train_dataloader': {'dataset': 'the schedule and the training are of the base'},
}


def old_config(*transforms: Any, side: int = 64, **data: Any) -> dict[str, Any]:
    pipeline = pipeline_of_test(side, *transforms)
    return {
        'model': {'type': 'Own', 'pretrained': 'x', 'input_size': 1},
        'data': {'test': {'pipeline': pipeline}, **data},
    }


def converted(old: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The preprocessor, and the transforms of the test between the first and the last two."""
    new = as_mmdet3(old, copy.deepcopy(BASE))
    pipeline = new['test_dataloader']['dataset']['pipeline']
    assert (pipeline[0], pipeline[-2], pipeline[-1]['type']) == ({'type': 'LoadImageFromFile'}, *ENDS)
    return new['model']['data_preprocessor'], pipeline[1:-2]


def test_model_and_test_are_its_own_and_all_else_is_of_the_base():
    new = as_mmdet3(old_config(RESIZE), copy.deepcopy(BASE))
    assert {key: value for key, value in new['model'].items() if key != 'data_preprocessor'} == {'type': 'Own'}
    assert new['train_dataloader'] == BASE['train_dataloader']
    assert new['val_dataloader'] == new['test_dataloader']
    assert new['val_dataloader']['num_workers'] == 3


@pytest.mark.parametrize(
    'transforms, before, middle',
    [
        ((RESIZE, {'type': 'RandomFlip'}), {}, [{**RESIZE, 'scale': (64, 64)}]),
        (({'type': 'Resize'},), {}, [{**RESIZE, 'scale': (64, 64)}]),  # mmdet 2 keeps the ratio if nothing is said
        (
            (
                {'type': 'Resize', 'keep_ratio': False, 'backend': 'pillow'},
                NORMALIZE,
                {'type': 'Pad', 'size_divisor': 32},
            ),
            {'mean': [1.0, 2.0, 3.0], 'std': [4.0, 5.0, 6.0], 'bgr_to_rgb': True, 'pad_size_divisor': 32},
            [{'type': 'Resize', 'keep_ratio': False, 'backend': 'pillow', 'scale': (64, 64)}],
        ),
        (
            (RESIZE, {key: value for key, value in NORMALIZE.items() if key != 'to_rgb'}),
            {'mean': [1.0, 2.0, 3.0], 'std': [4.0, 5.0, 6.0], 'bgr_to_rgb': True},
            [{**RESIZE, 'scale': (64, 64)}],
        ),
        # It padded with 0 after normalising: the mean before, in the order of the image, blue first.
        (
            (RESIZE, NORMALIZE, {'type': 'Pad', 'size': (64, 64)}),
            {'mean': [1.0, 2.0, 3.0], 'std': [4.0, 5.0, 6.0], 'bgr_to_rgb': True},
            [{**RESIZE, 'scale': (64, 64)}, {'type': 'Pad', 'size': (64, 64), 'pad_val': {'img': (3, 2, 1)}}],
        ),
        (
            (RESIZE, {**NORMALIZE, 'to_rgb': False}, {'type': 'Pad', 'size': (64, 64)}),
            {'mean': [1.0, 2.0, 3.0], 'std': [4.0, 5.0, 6.0], 'bgr_to_rgb': False},
            [{**RESIZE, 'scale': (64, 64)}, {'type': 'Pad', 'size': (64, 64), 'pad_val': {'img': (1, 2, 3)}}],
        ),
        (
            (RESIZE, {'type': 'Pad', 'pad_to_square': True, 'pad_val': {'img': 114}}),
            {},
            [{**RESIZE, 'scale': (64, 64)}, {'type': 'Pad', 'pad_to_square': True, 'pad_val': {'img': 114}}],
        ),
    ],
    ids=[
        'resize',
        'nothing said',
        'usual',
        'red first if nothing is said',
        'padded to a size',
        'padded to a size, blue first',
        'padded to a square',
    ],
)
def test_how_images_are_prepared(transforms, before, middle):
    preprocessor, found = converted(old_config(*transforms))
    kept = {'type': 'DetDataPreprocessor', 'batch_augments': [{'type': 'BatchSyncRandomResize'}]}
    assert preprocessor == {**kept, **before}
    assert found == middle


def test_where_a_size_may_stand(caplog):
    """At the transform itself, in `val`, in a dataset of datasets; of several sizes the first is taken, and told."""
    plain = [{'type': 'LoadImageFromFile'}, {**RESIZE, 'img_scale': (32, 16)}, {'type': 'Collect', 'keys': ['img']}]
    several = [{'type': 'LoadImageFromFile'}, *pipeline_of_test(64, RESIZE)[1:]]
    several[1] = {**several[1], 'img_scale': [(32, 16), (64, 32)], 'flip': True}
    for data, warned in (
        ({'test': {'pipeline': plain}}, False),
        ({'test': None, 'val': {'datasets': [{'pipeline': plain}]}}, False),
        ({'test': {'pipeline': several}}, True),
    ):
        caplog.clear()
        _, middle = converted({'model': {'type': 'Own'}, 'data': data})
        assert middle == [{**RESIZE, 'scale': (32, 16)}]
        assert ('it sees one, of (32, 16)' in caplog.text) == warned


def test_settings_of_training_and_test_beside_the_model_as_in_its_first_versions():
    old = {**old_config(RESIZE), 'test_cfg': {'score_thr': 0.3}, 'train_cfg': {'a': 1}}
    model = as_mmdet3(old, copy.deepcopy(BASE))['model']
    assert (model['test_cfg'], model['train_cfg']) == ({'score_thr': 0.3}, {'a': 1})
    old['model']['test_cfg'] = {'score_thr': 0.5}
    assert as_mmdet3(old, copy.deepcopy(BASE))['model']['test_cfg'] == {'score_thr': 0.5}


def test_it_is_told_from_one_of_mmdet_3():
    assert is_mmdet2(nano_config(3)) and not is_mmdet2({'model': {}, 'data': 1, 'train_dataloader': {}})
    assert architecture_of({'model': {'type': 'A', 'backbone': {'type': 'B'}, 'neck': [1]}}) == "'A', 'B'"
    assert architecture_of({'model': 3}) == architecture_of({}) == 'no detector'


# --- as packages ----------------------------------------------------------------------------------------------------


def package(folder: Path, config: dict[str, Any], name: str = CONFIG) -> Path:
    (folder / name).write_text(text_of(config), encoding='utf-8')
    return folder / name


def test_the_config_of_a_package_becomes_one_of_mmdet_3(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    config = load_config(CONFIG, [package(tmp_path, nano_config(3, side=352))])
    base = load_config(NANO)
    assert config.model.bbox_head.num_classes == 3
    assert outer_pipeline(config.test_dataloader.dataset)[1].scale == (352, 352)
    assert config.model.data_preprocessor.get('mean') is None
    assert config.model.data_preprocessor.batch_augments == base.model.data_preprocessor.batch_augments
    for key in ('train_dataloader', 'param_scheduler', 'optim_wrapper', 'custom_hooks'):
        assert config[key] == base[key]
    assert f'{CONFIG} holds a config of mmdet 2: model and test are its own, all else is of {CONFIG}' in caplog.text
    # What a training leaves of it is a config of mmdet 3.
    (tmp_path / 'again.py').write_text(config_text(config))
    assert load_config('again.py', [tmp_path / 'again.py']).model == config.model


def test_a_name_that_this_image_does_not_know_is_told_with_the_architecture(tmp_path):
    with pytest.raises(ModelError) as caught:
        load_config('mine.py', [package(tmp_path, nano_config(3), 'mine.py')])
    told = "mine.py is a config of mmdet 2 ('YOLOX', 'CSPDarknet', 'YOLOXPAFPN'), and this image has none that was"
    assert told in str(caught.value)
    assert str(caught.value).endswith("'mine.py': set config_file to one of this image, such as " + TINY)


TINY = 'configs/yolox/yolox_tiny_8x8_300e_coco.py'


@pytest.mark.parametrize(
    'change, told',
    [
        ({'data': {'samples_per_gpu': 2}}, "cannot be used (KeyError: 'val')"),
        ({'data': 3}, 'cannot be used (AttributeError: '),
        ({'data': {'test': ()}}, 'cannot be used ('),
        ({'model': None}, 'cannot be used (AttributeError: '),
        (
            {'data': {'test': {'pipeline': pipeline_of_test(1, {'type': 'LoadProposals'})}}},
            "cannot be used (ValueError: its test has a transform 'LoadProposals')",
        ),
        (
            {'data': {'test': {'pipeline': pipeline_of_test(1, {**NORMALIZE, 'mean': 'os.system'})}}},
            "model.data_preprocessor.mean must be a number, true, false, None or a word, found 'os.system'",
        ),
        (
            {'data': {'test': {'pipeline': pipeline_of_test(1, {'type': 'Resize', 'evil': 1})}}},
            'pipeline.1.evil must be one of the keys scale',
        ),
        (
            {'model': {'type': 'YOLOX', 'backbone': {'type': 'os.system'}}},
            "model.backbone.type must be a layer, a loss or a helper of mmdet’s detectors, found 'os.system'",
        ),
    ],
)
def test_one_that_is_not_what_it_should_be_is_told(tmp_path, change, told):
    file = package(tmp_path, {**nano_config(3), **change})
    with pytest.raises(ModelError) as caught:
        load_config(CONFIG, [file])
    assert str(caught.value).startswith(f'{file}: ') and told in str(caught.value)


# --- in weights -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'file, meta, side',
    [
        ('a.pth', {'exp_name': CONFIG, 'config': text_of(nano_config(3, side=352))}, 352),
        ('a.pth', {'exp_name': CONFIG}, 416),
        ('a.pth', {'exp_name': 7, 'config': f'/mnt/_base_/x.py\nmodel = 1\n/mnt/{CONFIG}\n_base_ = []\n'}, 416),
        ('yolox_nano_8x8_300e_coco_20211121_095711-4592a793.pth', {}, 416),
        ('yolox_nano_8x8_300e_coco_20200130-47c8118a.pth', {'exp_name': 'mine.py'}, 416),
        ('yolox_nano_8x8_300e_coco.pth', {'config': 'import os\nos.system("touch hacked")\n'}, 416),
        ('yolox_nano_8x8_300e_coco.pth', {'config': text_of(nano_config(3, side=352))}, 352),
    ],
)
def test_bare_weights_say_what_they_are_of(tmp_path, monkeypatch, file, meta, side):
    """By the name that they hold, the last file in the text of several, or their own name without its date."""
    monkeypatch.chdir(tmp_path)
    config = load_config_of_weights(tmp_path / file, meta)
    assert config.model.type == 'YOLOX'
    assert outer_pipeline((config.get('test_dataloader') or config.val_dataloader).dataset)[1].scale == (side, side)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('meta', [{}, {'exp_name': 'mine.py'}, {'exp_name': ['x'], 'config': 3}])
def test_of_others_nothing_is_known(tmp_path, meta):
    assert load_config_of_weights(tmp_path / 'epoch_1.pth', meta) is None


def test_what_weights_hold_as_config_is_held_to_the_list(tmp_path):
    held = text_of({**nano_config(3), 'model': {'type': 'YOLOX', 'backbone': {'type': 'os.system'}}})
    with pytest.raises(ModelError, match="a.pth: model.backbone.type must be .*found 'os.system'"):
        load_config_of_weights(tmp_path / 'a.pth', {'exp_name': CONFIG, 'config': held})


def test_a_config_that_needs_a_package_which_is_not_here_is_told():
    with pytest.raises(
        ParameterError, match='needs a package that is not in this image .*mmpretrain.*: choose another'
    ):
        load_config('configs/timm_example/retinanet_timm-tv-resnet50_fpn_1x_coco.py')
