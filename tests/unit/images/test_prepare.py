"""Images made into the network's input: what mmdet's own transforms make of them, pixel by pixel."""

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
from executor.images.prepare import Letterbox, Prepared, SizeOnly, Transforms, preparation
from executor.models.dense import metas

CONFIGS = {
    'yolox_nano': 'configs/yolox/yolox_nano_8x8_300e_coco.py',
    'yolox_s': 'configs/yolox/yolox_s_8x8_300e_coco.py',
    'retinanet': 'configs/retinanet/retinanet_r50_fpn_1x_coco.py',
    'rtmdet': 'configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'ssd300': 'configs/ssd/ssd300_coco.py',
    'fcos': 'configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
}
# Width, height.
SIZES = [(1, 1), (2, 3), (30, 20), (375, 500), (500, 375), (416, 416), (416, 300), (640, 427), (999, 64)]
SIZES += [(800, 1333), (1333, 800), (1600, 1200)]
FIT = {'type': 'Resize', 'scale': (64, 48), 'keep_ratio': True}
GREY = {'img': (114, 114, 114)}


@pytest.fixture(scope='module', autouse=True)
def registered() -> None:
    register_all_modules(init_default_scope=True)


def image_of(width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 BGR, edges and noise."""
    rng = np.random.default_rng(width * 10007 + height)
    coarse = rng.integers(0, 200, (5, 7, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST) + rng.integers(
        0, 56, (height, width, 3), dtype=np.uint8
    )


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


def check_same(prepared: Prepared, pipeline: Sequence[Mapping[str, Any]], path: Path) -> None:
    pixels, meta = by_mmdet(pipeline, path)
    assert prepared.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(prepared.pixels, pixels)
    (ours,) = metas([prepared])
    assert ours['ori_shape'] == meta['ori_shape']
    assert ours['img_shape'] == meta['img_shape']
    assert prepared.scale == meta.get('scale_factor', (1, 1))
    assert ours['scale_factor'] == prepared.scale


def whole(*middle: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A test pipeline of these transforms."""
    return [{'type': 'LoadImageFromFile'}, *map(dict, middle), {'type': 'PackDetInputs'}]


# --- letterbox ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('config_file', CONFIGS.values(), ids=CONFIGS)
def test_the_same_as_mmdet(tmp_path, config_file):
    pipeline = pipeline_of(config_file)
    prepare = preparation(pipeline)
    assert isinstance(prepare, Letterbox)
    for size in SIZES:
        image = image_of(*size)
        cv2.imwrite(str(tmp_path / 'image.bmp'), image)
        prepared = prepare(image)
        assert prepared.size == size
        check_same(prepared, pipeline, tmp_path / 'image.bmp')
        buffer = np.full(prepare.largest + 5, 77, np.uint8)
        check_same(prepare(image, buffer[: prepare.largest]), pipeline, tmp_path / 'image.bmp')
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
    prepare = preparation(pipeline)
    assert isinstance(prepare, Letterbox)
    for size in [(64, 48), (48, 64), (40, 40), (100, 30), (31, 90), (7, 5), (128, 5)]:  # 128 x 5: half a pixel
        image = image_of(*size)
        cv2.imwrite(str(tmp_path / 'image.bmp'), image)
        check_same(prepare(image), pipeline, tmp_path / 'image.bmp')
        check_same(prepare(image, np.full(prepare.largest, 77, np.uint8)), pipeline, tmp_path / 'image.bmp')


@pytest.mark.parametrize('size, inner', [((1, 1000), (1, 64)), ((1000, 1), (64, 1)), ((3, 9000), (1, 64))])
def test_of_a_thin_image_a_pixel_stays(size, inner):
    image = image_of(*size)
    prepare = preparation(whole({**FIT, 'scale': (64, 64)}, {'type': 'Pad', 'pad_to_square': True, 'pad_val': GREY}))
    expected = np.full((64, 64, 3), 114, np.uint8)
    expected[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    for prepared in (prepare(image), prepare(image, np.zeros(prepare.largest, np.uint8))):
        np.testing.assert_array_equal(prepared.pixels, expected)
        assert prepared.size == size
        assert prepared.scale == (inner[0] / size[0], inner[1] / size[1])
    assert preparation(whole(FIT))(image).pixels.size > 0  # without padding too


def test_pixels_lie_in_the_buffer():
    prepare = Letterbox((64, 48), keep_ratio=True)
    for size in [(64, 48), (30, 40), (1, 900)]:
        buffer = np.full(prepare.largest, 77, np.uint8)
        prepared = prepare(image_of(*size), buffer)
        assert np.shares_memory(prepared.pixels, buffer)
        assert (buffer[prepared.pixels.size :] == 77).all()
        assert prepared.pixels.ctypes.data == buffer.ctypes.data


def test_the_image_itself_is_left_alone():
    image = image_of(64, 48)
    before = image.copy()
    prepared = Letterbox((64, 48), keep_ratio=True)(image)
    prepared.pixels[:] = 0
    np.testing.assert_array_equal(image, before)


# --- largest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'prepare, exact',
    [
        (Letterbox((416, 416), True, pad_to_square=True), 416 * 416 * 3),
        (Letterbox((1333, 800), True), 1333 * 800 * 3),
        (Letterbox((800, 1333), True), 1333 * 800 * 3),
        (Letterbox((300, 200), False), 300 * 200 * 3),
        (Letterbox((1333, 800), True, pad_divisor=32), 1344 * 800 * 3),
        (Letterbox((1333, 800), True, pad_to_square=True), 1333 * 1333 * 3),
        (Letterbox((640, 480), True, pad_size=(640, 480)), 640 * 640 * 3),  # an upright image is 480 x 640
        (Letterbox((640, 640), True, pad_size=(640, 640)), 640 * 640 * 3),
        (Letterbox((100, 80), True, pad_size=(700, 50)), 700 * 100 * 3),
        (Letterbox((97, 61), True, pad_to_square=True, pad_divisor=10), 100 * 100 * 3),
    ],
)
def test_no_image_becomes_larger_than_largest(prepare, exact):
    sides = [1, 2, 3, 7, 33, 100, 299, 300, 301, 415, 416, 417, 640, 799, 800, 801, 1332, 1333, 1334]
    sides += [5000, 10000, 65535]
    rng = np.random.default_rng(0)
    sizes = [(width, height) for width in sides for height in sides]
    sizes += np.exp(rng.uniform(0, np.log(30000), (3000, 2))).astype(int).tolist()
    sizes.append(prepare.scale)
    inputs = [prepare.padded(prepare.resized(tuple(size))) for size in sizes]
    assert max(width * height * 3 for width, height in inputs) == exact
    assert prepare.largest == exact
    assert min(min(size) for size in inputs) >= 1


def test_the_largest_input_fits_its_buffer():
    prepare = Letterbox((64, 48), keep_ratio=True, pad_divisor=32)
    prepared = prepare(image_of(48, 64), np.empty(prepare.largest, np.uint8))
    assert prepared.pixels.shape == (64, 64, 3)
    assert prepared.pixels.size == prepare.largest


# --- everything else ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'middle',
    [
        [],
        [FIT, {'type': 'RandomFlip', 'prob': 0.0}],
        [FIT, {'type': 'RandomFlip', 'prob': 1.0}],
        [{**FIT, 'interpolation': 'nearest'}],
        [{**FIT, 'backend': 'pillow'}],
        [{'type': 'Resize', 'scale_factor': 0.5}],
        [{**FIT, 'scale': 40}],
        [FIT, {'type': 'Pad', 'size_divisor': 32, 'padding_mode': 'reflect'}],
        [{'type': 'Pad', 'pad_to_square': True}, FIT],
        [FIT, {'type': 'Pad', 'size_divisor': 4}, {'type': 'Pad', 'pad_to_square': True}],
        [{'type': 'Pad', 'size_divisor': 32}],
    ],
    ids=str,
)
def test_other_pipelines_run_as_they_are(tmp_path, middle):
    pipeline = whole(*middle)
    prepare = preparation(pipeline)
    assert isinstance(prepare, Transforms)
    assert prepare.largest == 0
    for size in [(100, 60), (30, 41)]:
        image = image_of(*size)
        cv2.imwrite(str(tmp_path / 'image.bmp'), image)
        prepared = prepare(image)
        assert prepared.size == size
        check_same(prepared, pipeline, tmp_path / 'image.bmp')
        check_same(prepare(image, None), pipeline, tmp_path / 'image.bmp')
        assert prepared.meta.get('flip', False) == (middle[-1:] == [{'type': 'RandomFlip', 'prob': 1.0}])


def test_transforms_go_to_another_process_also_after_use():
    prepare = preparation(whole(FIT, {'type': 'RandomFlip', 'prob': 1.0}))
    image = image_of(100, 60)
    here = prepare(image)
    there = pickle.loads(pickle.dumps(prepare))(image)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    meta = pickle.loads(pickle.dumps(here)).meta
    assert meta.keys() == here.meta.keys() and (meta['flip'], meta['img_shape']) == (True, (38, 64))


def test_transforms_leave_the_pipeline_as_it_was():
    pipeline = whole(FIT, {'type': 'Pad', 'size_divisor': 32})
    preparation(pipeline)
    assert pipeline == whole(FIT, {'type': 'Pad', 'size_divisor': 32})


def test_only_the_size():
    prepared = SizeOnly()(image_of(30, 20))
    assert (prepared.size, prepared.scale, prepared.pixels.size) == ((30, 20), (1, 1), 0)
    assert SizeOnly.largest == 0  # it gets no buffer


@pytest.mark.parametrize(
    'pipeline',
    [
        pipeline_of('configs/centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco.py'),  # loads floats
        whole(FIT, {'type': 'Pad', 'size_divisor': 32, 'pad_val': {'img': 114.0}}),
    ],
    ids=['floats', 'a fractional number to pad with'],
)
def test_numbers_that_are_not_whole(tmp_path, pipeline):
    image = image_of(100, 60)
    cv2.imwrite(str(tmp_path / 'image.bmp'), image)
    check_same(preparation(pipeline)(image), pipeline, tmp_path / 'image.bmp')
