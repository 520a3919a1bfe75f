"""Test pipelines of configs: what mmdet's own transforms make of an image, pixel by pixel."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Mapping, Sequence

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmdet.utils import register_all_modules

from executor.config.read import load_config
from executor.detector.preparation import Transforms, preparation_of
from executor.images.loader import ImageLoader
from executor.images.prepare import Letterbox, Prepared
from executor.models.dense import metas

CONFIGS = {
    'yolox_nano': 'configs/yolox/yolox_nano_8x8_300e_coco.py',
    'yolox_s': 'configs/yolox/yolox_s_8x8_300e_coco.py',
    'retinanet': 'configs/retinanet/retinanet_r50_fpn_1x_coco.py',
    'rtmdet': 'configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'ssd300': 'configs/ssd/ssd300_coco.py',
    'fcos': 'configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
}
SIZES = [  # width, height
    *((1, 1), (2, 3), (30, 20), (375, 500), (500, 375), (416, 416), (416, 300), (640, 427), (800, 1333), (1333, 800)),
    *((1600, 1200), (999, 64)),
]
FIT = {'type': 'Resize', 'scale': (64, 48), 'keep_ratio': True}
GREY = {'img': (114, 114, 114)}


@pytest.fixture(scope='module', autouse=True)
def registered() -> None:
    register_all_modules(init_default_scope=True)


def image_of(width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 BGR, edges and noise."""
    rng = np.random.default_rng(width * 10007 + height)
    coarse = rng.integers(0, 200, (5, 7, 3), dtype=np.uint8)
    noise = rng.integers(0, 56, (height, width, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST) + noise


def pipeline_of(config_file: str) -> list[dict[str, Any]]:
    config = load_config(config_file)
    return [dict(step) for step in (config.get('test_dataloader') or config.val_dataloader).dataset.pipeline]


def by_mmdet(pipeline: Sequence[Mapping[str, Any]], path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """The input (H, W, 3) and what is said of it, of mmdet's transforms from file to packed sample."""
    steps = [dict(step) for step in pipeline if step['type'] != 'LoadAnnotations']
    for step in steps:
        if step['type'] == 'PackDetInputs':
            step['meta_keys'] = ('ori_shape', 'img_shape', 'scale_factor', 'flip', 'border')
    sample = Compose([TRANSFORMS.build(step) for step in steps])({'img_path': str(path), 'img_id': 0})
    return sample['inputs'].numpy().transpose(1, 2, 0), sample['data_samples'].metainfo


def check_same(prepared: Prepared, pipeline: Sequence[Mapping[str, Any]], image: np.ndarray, folder: Path) -> None:
    cv2.imwrite(str(folder / 'image.bmp'), image)
    pixels, meta = by_mmdet(pipeline, folder / 'image.bmp')
    assert prepared.size == image.shape[1::-1]
    assert prepared.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(prepared.pixels, pixels)
    (ours,) = metas([prepared])
    assert (ours['ori_shape'], ours['img_shape']) == (meta['ori_shape'], meta['img_shape'])
    assert ours['scale_factor'] == prepared.scale == meta.get('scale_factor', (1, 1))


def whole(*middle: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A test pipeline of these transforms."""
    return [{'type': 'LoadImageFromFile'}, *map(dict, middle), {'type': 'PackDetInputs'}]


# --- letterbox ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('config_file', CONFIGS.values(), ids=CONFIGS)
def test_the_same_as_mmdet(tmp_path, config_file):
    pipeline = pipeline_of(config_file)
    prepare = preparation_of(pipeline)
    assert isinstance(prepare, Letterbox)
    for size in SIZES:
        image = image_of(*size)
        check_same(prepare(image), pipeline, image, tmp_path)
        buffer = np.full(prepare.largest + 5, 77, np.uint8)
        check_same(prepare(image, buffer[: prepare.largest]), pipeline, image, tmp_path)
        assert (buffer[prepare.largest :] == 77).all()


@pytest.mark.parametrize(
    'middle',
    [
        [FIT],
        [{'type': 'Resize', 'scale': (64, 48)}],  # keep_ratio is false by itself
        [FIT, {'type': 'Pad', 'size_divisor': 32}],
        [FIT, {'type': 'Pad', 'size_divisor': 32, 'pad_val': {'img': (114.0, 114.0, 114.0)}}],
        [FIT, {'type': 'Pad', 'size': (80, 60), 'pad_val': {'img': (10, 20, 30)}}],
        [FIT, {'type': 'Pad', 'size': (50, 40)}],  # smaller than the image may be
        [FIT, {'type': 'Pad', 'pad_to_square': True, 'pad_val': 7}],
        [FIT, {'type': 'Pad', 'pad_to_square': True, 'size_divisor': 10, 'pad_val': GREY}],
        [{**FIT, 'keep_ratio': False}, {'type': 'Pad', 'pad_to_square': True, 'pad_val': GREY}],
    ],
    ids=['fit', 'stretch', 'divisor', 'grey', 'colour', 'small', 'number', 'square and divisor', 'stretched square'],
)
def test_every_kind_of_padding_is_that_of_mmdet(tmp_path, middle):
    pipeline = whole(*middle)
    prepare = preparation_of(pipeline)
    assert isinstance(prepare, Letterbox)
    assert pipeline == whole(*middle)  # as it was
    for size in [(64, 48), (48, 64), (40, 40), (100, 30), (31, 90), (7, 5), (128, 5)]:  # 128 x 5: half a pixel
        image = image_of(*size)
        check_same(prepare(image), pipeline, image, tmp_path)
        check_same(prepare(image, np.full(prepare.largest, 77, np.uint8)), pipeline, image, tmp_path)


@pytest.mark.parametrize('size, inner', [((1, 1000), (1, 64)), ((1000, 1), (64, 1)), ((3, 9000), (1, 64))])
def test_of_a_thin_image_a_pixel_stays(size, inner):
    image = image_of(*size)
    prepare = preparation_of(whole({**FIT, 'scale': (64, 64)}, {'type': 'Pad', 'pad_to_square': True, 'pad_val': GREY}))
    expected = np.full((64, 64, 3), 114, np.uint8)
    expected[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    for prepared in (prepare(image), prepare(image, np.zeros(prepare.largest, np.uint8))):
        np.testing.assert_array_equal(prepared.pixels, expected)
        assert prepared.size == size
        assert prepared.scale == (inner[0] / size[0], inner[1] / size[1])
    assert preparation_of(whole(FIT))(image).pixels.size > 0  # without padding too


# --- everything else ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'middle',
    [
        pytest.param([], id='nothing'),
        pytest.param([FIT, {'type': 'RandomFlip', 'prob': 0.0}], id='no flip'),
        pytest.param([FIT, {'type': 'RandomFlip', 'prob': 1.0}], id='flip'),
        pytest.param([{**FIT, 'interpolation': 'nearest'}], id='nearest'),
        pytest.param([{**FIT, 'backend': 'pillow'}], id='pillow'),
        pytest.param([{'type': 'Resize', 'scale_factor': 0.5}], id='by factor'),
        pytest.param([{**FIT, 'scale': 40}], id='one number'),
        pytest.param([FIT, {'type': 'Pad', 'size_divisor': 32, 'padding_mode': 'reflect'}], id='reflect'),
        pytest.param([{'type': 'Pad', 'pad_to_square': True}, FIT], id='pad first'),
        pytest.param([FIT, {'type': 'Pad', 'size_divisor': 4}, {'type': 'Pad', 'pad_to_square': True}], id='two pads'),
        pytest.param([{'type': 'Pad', 'size_divisor': 32}], id='only pad'),
    ],
)
def test_other_pipelines_run_as_they_are(tmp_path, middle):
    pipeline = whole(*middle)
    prepare = preparation_of(pipeline)
    assert isinstance(prepare, Transforms)
    assert prepare.largest == 0
    for size in [(100, 60), (30, 41)]:
        image = image_of(*size)
        prepared = prepare(image, None)
        check_same(prepared, pipeline, image, tmp_path)
        assert prepared.meta.get('flip', False) == (middle[-1:] == [{'type': 'RandomFlip', 'prob': 1.0}])


def test_transforms_go_to_another_process_also_after_use():
    prepare = preparation_of(whole(FIT, {'type': 'RandomFlip', 'prob': 1.0}))
    image = image_of(100, 60)
    here = prepare(image)
    there = pickle.loads(pickle.dumps(prepare))(image)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    meta = pickle.loads(pickle.dumps(here)).meta
    assert meta.keys() == here.meta.keys() and (meta['flip'], meta['img_shape']) == (True, (38, 64))


@pytest.mark.parametrize(
    'transform',
    [
        {'type': 'RandomFlip', 'prob': 1.0},
        {'type': 'RandomApply', 'transforms': [{'type': 'FixShapeResize', 'width': 40, 'height': 30}], 'prob': 1.0},
    ],
    ids=['one', 'one that holds another'],
)
def test_transforms_run_in_a_loading_process_which_begins_with_nothing(tmp_path, transform):
    prepare = preparation_of(whole({**FIT, 'scale': (64, 64)}, transform))
    sizes = [(100, 60), (30, 41), (1, 1000)]  # of the last a pixel stays, where mmdet is patched
    for number, size in enumerate(sizes):
        cv2.imwrite(str(tmp_path / f'{number}.png'), image_of(*size))
    paths = [str(tmp_path / f'{number}.png') for number in range(len(sizes))]
    ((*loaded,),) = (batch.images for batch in ImageLoader(paths, range(3), prepare, 3, workers=1, held=1))
    for one, size in zip(loaded, sizes):
        assert one.error is None
        np.testing.assert_array_equal(one.prepared.pixels, prepare(image_of(*size)).pixels)


@pytest.mark.parametrize(
    'pipeline',
    [
        pipeline_of('configs/centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco.py'),  # loads floats
        whole(FIT, {'type': 'Pad', 'size_divisor': 32, 'pad_val': {'img': 114.0}}),
    ],
    ids=['floats', 'fractional padding'],
)
def test_numbers_that_are_not_whole(tmp_path, pipeline):
    image = image_of(100, 60)
    check_same(preparation_of(pipeline)(image), pipeline, image, tmp_path)
