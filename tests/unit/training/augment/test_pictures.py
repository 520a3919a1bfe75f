"""Composed training pictures beside those of mmdet's own transforms, for the same random numbers."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.datasets.dataset_wrappers import MultiImageMixDataset as OfMmdet
from mmengine.registry import init_default_scope

from demo.task_folder import add_annotation, add_image
from desk.task_folder import write_index
from executor.config.patches import patch
from executor.config.read import load_config
from executor.contract.errors import ImageError
from executor.images.cache import ImageCache
from executor.images.decode import read_image
from executor.models.families import register_parts
from executor.training.dataset import MixDataset, YmirDataset
from tests.support.refusal import refusal

CLASSES = ('cat', 'dog')
SIZES = [(640, 427), (480, 640), (300, 200), (1500, 900), (641, 639), (37, 400)]  # width, height
LOADING = [{'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations', 'with_bbox': True}]


@pytest.fixture(scope='module', autouse=True)
def parts():
    register_parts()
    init_default_scope('mmdet')
    patch()


@pytest.fixture(scope='module')
def index(tmp_path_factory) -> Path:
    """Twelve smooth images of six sizes, of which the last of each has no boxes."""
    root, random = tmp_path_factory.mktemp('dataset'), np.random.default_rng(3)
    rows = []
    for number, (width, height) in enumerate(2 * SIZES):
        coarse = random.integers(0, 256, (height // 40 + 2, width // 40 + 2, 3), np.uint8)
        data = cv2.imencode('.png', cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))[1].tobytes()
        corners = random.uniform(0, 1, (5, 2, 2)) * (width, height)
        boxes = [(label % 2, *box.min(0).astype(int), *box.max(0).astype(int)) for label, box in enumerate(corners)]
        text = '' if number == 11 else '\n'.join(', '.join(map(str, box)) for box in boxes)
        rows.append((add_image(root, f'{number}.png', data), add_annotation(root, f'{number}.txt', text)))
    return write_index(root, 'train-index.tsv', rows)


def dataset_of(index: Path, pipeline):
    options = {'index_file': str(index), 'export_format': 'ark:raw', 'metainfo': {'classes': CLASSES}}
    return YmirDataset(**options, pipeline=pipeline)


def yolox(size: str):
    return load_config(f'configs/yolox/yolox_{size}_8x8_300e_coco.py').train_dataloader.dataset.to_dict()['pipeline']


def assert_alike(ours, theirs, pixels: float) -> None:
    """The same boxes, and nearly the same pixels; mmdet interpolates three times where we do once."""
    for kind in ('gt_instances', 'ignored_instances'):
        mine, other = ours['data_samples'].get(kind), theirs['data_samples'].get(kind)
        assert mine.bboxes.shape == other.bboxes.shape
        assert np.allclose(mine.bboxes.tensor, other.bboxes.tensor, rtol=0, atol=1e-3)
        assert mine.labels.tolist() == other.labels.tolist()
    assert ours['data_samples'].metainfo == theirs['data_samples'].metainfo
    mine, other = (made['inputs'].numpy().astype(int) for made in (ours, theirs))
    assert mine.shape == other.shape
    assert np.abs(mine - other).mean() <= pixels


@pytest.mark.parametrize('size', ['tiny', 's'])
@pytest.mark.parametrize('closing, pixels', [(False, 1.5), (True, 0.6)])
def test_a_picture_is_mmdets(index, size, closing, pixels):
    inner = dataset_of(index, LOADING)
    ours, theirs = MixDataset(inner, yolox(size)), OfMmdet(inner, yolox(size))
    assert ours.pictures is not None
    for dataset in (ours, theirs) if closing else ():
        dataset.update_skip_type_keys(('Mosaic', 'RandomAffine', 'MixUp'))
    boxes = 0
    for seed in range(36):
        np.random.seed(seed)
        made = ours[seed % 12]
        after = np.random.random()
        np.random.seed(seed)
        assert_alike(made, theirs[seed % 12], pixels)
        assert np.random.random() == after  # as many numbers were drawn
        boxes += len(made['data_samples'].gt_instances)
    assert boxes > 100


@pytest.mark.parametrize('kept', ['Mosaic', 'MixUp', 'Mosaic RandomAffine', 'RandomAffine MixUp'])
def test_a_picture_with_only_some_of_the_transforms_is_mmdets(index, kept):
    pipeline = [step for step in yolox('s') if step['type'] in f'{kept} RandomFlip Resize Pad PackDetInputs'.split()]
    pipeline = [
        {**step, 'border': (0, 0)} if kept[0] == 'R' and step['type'] == kept.split()[0] else step for step in pipeline
    ]
    inner = dataset_of(index, LOADING)
    ours, theirs = MixDataset(inner, pipeline), OfMmdet(inner, pipeline)
    assert ours.pictures is not None
    for seed in range(24):
        np.random.seed(seed)
        made = ours[seed % 12]
        np.random.seed(seed)
        assert_alike(made, theirs[seed % 12], 2)


def test_closing_pictures_are_mmdets_pixel_by_pixel_where_colours_stay(index):
    pipeline = [step for step in yolox('s') if step['type'] != 'YOLOXHSVRandomAug']
    inner = dataset_of(index, LOADING)
    ours, theirs = MixDataset(inner, pipeline), OfMmdet(inner, pipeline)
    for dataset in (ours, theirs):
        dataset.update_skip_type_keys(('Mosaic', 'RandomAffine', 'MixUp'))
    flips = 0
    for seed in range(24):
        np.random.seed(seed)
        made = ours[seed % 12]
        np.random.seed(seed)
        # Where an image is enlarged or shrunk a flip before rounds otherwise than one after.
        assert np.abs(made['inputs'].numpy().astype(int) - theirs[seed % 12]['inputs'].numpy()).max() <= 1
        flips += made['data_samples'].flip
    assert 0 < flips < 24


@pytest.mark.parametrize(
    'middle',
    [
        [{'type': 'Resize', 'scale': (1333, 800), 'keep_ratio': True}, {'type': 'RandomFlip', 'prob': 0.5}],
        [
            {'type': 'RandomFlip', 'prob': [0.3, 0.3, 0.3], 'direction': ['horizontal', 'vertical', 'diagonal']},
            {'type': 'Resize', 'scale': (320, 256), 'keep_ratio': False},
            {'type': 'Pad', 'size_divisor': 64, 'pad_val': {'img': (1, 2, 3)}},
        ],
        [
            {'type': 'RandomAffine', 'border_val': (9, 9, 9), 'bbox_clip_border': False},
            {'type': 'Resize', 'scale': (256, 256), 'keep_ratio': True},
            {'type': 'Pad', 'size': (300, 310)},
        ],
    ],
    ids=['usual', 'stretched', 'affine'],
)
def test_a_pipeline_without_mixing_is_mmdets(index, middle):
    ours = dataset_of(index, [*LOADING, *middle, {'type': 'PackDetInputs'}])
    assert ours.pictures is not None
    for seed in range(24):
        np.random.seed(seed)
        made = ours[seed % 12]
        np.random.seed(seed)
        assert_alike(made, ours.pipeline(ours.get_data_info(seed % 12)), 1.5)


def test_another_pipeline_is_taken_while_training(index):
    dataset = dataset_of(index, [*LOADING, {'type': 'Resize', 'scale': (64, 64)}, {'type': 'PackDetInputs'}])
    assert dataset[0]['inputs'].shape == (3, 64, 64)
    other = dataset_of(index, [*LOADING, {'type': 'Resize', 'scale': (32, 32)}, {'type': 'PackDetInputs'}])
    dataset.pipeline = other.pipeline  # as PipelineSwitchHook does
    assert dataset[0]['inputs'].shape == (3, 32, 32)


def changed(step: str, **options):
    return [{**transform, **options} if transform['type'] == step else transform for transform in yolox('s')]


BEYOND = {
    'another transform': [
        *yolox('tiny')[:-1],
        {'type': 'CutOut', 'n_holes': 1, 'cutout_shape': (8, 8)},
        yolox('tiny')[-1],
    ],
    'another order': [yolox('s')[index] for index in (0, 3, 1, 2, 4, 5, 6, 7, 8)],
    'twice': [*yolox('s')[:4], *yolox('s')[3:]],
    'other greys': changed('MixUp', pad_val=0.0),
    'another interpolation': changed('Resize', interpolation='area'),
    'a factor': changed('Resize', scale=None, scale_factor=0.5),
    'mirrored edges': changed('Pad', padding_mode='reflect'),
    'one channel': changed('Pad', pad_val={'img': 114.0}),
    'images without boxes are left out': changed('FilterAnnotations', keep_empty=True),
}


@pytest.mark.parametrize('pipeline', BEYOND.values(), ids=BEYOND)
def test_what_is_beyond_composing_is_left_to_mmdet(index, pipeline):
    assert MixDataset(dataset_of(index, LOADING), yolox('s')).pictures is not None
    assert MixDataset(dataset_of(index, LOADING), pipeline).pictures is None


@pytest.mark.parametrize(
    'loading',
    [
        [{**LOADING[0], 'to_float32': True}, LOADING[1]],
        [LOADING[0], {**LOADING[1], 'with_label': False}],
        [LOADING[0], {**LOADING[1], 'box_type': None}],
        [*LOADING, {'type': 'CutOut', 'n_holes': 1, 'cutout_shape': (8, 8)}],
    ],
)
def test_other_loading_is_left_to_mmdet(index, loading):
    assert MixDataset(dataset_of(index, loading), yolox('s')).pictures is None


def cached(dataset, encoded: bool = False) -> ImageCache:
    dataset.pictures.encoded = encoded
    dataset.pictures.cache = ImageCache(dataset.pictures.lengths(), 10**9)
    dataset.pictures.cache.open()
    return dataset.pictures.cache


@pytest.mark.parametrize('encoded', [False, True])
def test_a_kept_image_gives_the_same_picture_and_is_read_once(index, monkeypatch, encoded):
    dataset = MixDataset(dataset_of(index, LOADING), yolox('s'))
    np.random.seed(5)
    before = [dataset[number]['inputs'].numpy() for number in range(12)]
    cache = cached(dataset, encoded)
    for number in range(12):
        dataset.pictures.pixels(number)
    files = sum((index.parents[1] / f'in/assets/{number}.png').stat().st_size for number in range(12))
    # At 640 x 640: 1500 x 900 is 640 x 384, the others are no larger.
    pixels = 3 * 2 * (640 * 427 + 480 * 640 + 300 * 200 + 640 * 384 + 640 * 638 + 37 * 400)
    assert cache.held() == (12, files if encoded else pixels)
    monkeypatch.setattr('executor.training.augment.pictures.read_bytes', None)
    np.random.seed(5)
    for number, expected in enumerate(before):
        assert (dataset[number]['inputs'].numpy() == expected).all()


def mixed_images(root: Path, count: int) -> MixDataset:
    """YOLOX's pictures of so many images of 30 x 20, each with a box."""
    rows = []
    for number in range(count):
        data = cv2.imencode('.png', np.full((20, 30, 3), number, np.uint8))[1].tobytes()
        rows.append((add_image(root, f'{number}.png', data), add_annotation(root, f'{number}.txt', '0, 1, 1, 9, 9')))
    return MixDataset(dataset_of(write_index(root, 'train-index.tsv', rows), LOADING), yolox('s'))


def test_an_image_that_changes_while_training_is_told(tmp_path):
    mixed = mixed_images(tmp_path, 2)
    add_image(tmp_path, '1.png', cv2.imencode('.png', np.zeros((31, 20, 3), np.uint8))[1].tobytes())
    told = refusal(ImageError, mixed.pictures.pixels, 1)
    assert told.endswith('/1.png has changed since the task began, when it had 30 x 20 pixels')


def test_a_picture_with_a_broken_image_is_another_picture(tmp_path, caplog):
    mixed = mixed_images(tmp_path, 101)
    (tmp_path / 'in/assets/7.png').write_bytes(b'no image')
    caplog.set_level(logging.WARNING, logger='executor')
    np.random.seed(0)
    assert mixed[7]['data_samples'].img_path.endswith('.png')
    assert mixed[7]['data_samples'].img_id != 7
    assert caplog.text.count('7.png is not an image that can be decoded') == 1
    assert '1 of 101 images cannot be decoded' in caplog.text
    (tmp_path / 'in/assets/8.png').write_bytes(b'no image')
    assert refusal(ImageError, mixed.__getitem__, 8).startswith(
        f'{tmp_path}/in/train-index.tsv: 2 of 101 images cannot'
    )


def test_pixels_are_those_of_the_file(index):
    dataset = MixDataset(dataset_of(index, LOADING), yolox('s'))
    path = Path(dataset.pictures.info(2)['img_path'])
    assert (dataset.pictures.pixels(2) == read_image(path)).all()
