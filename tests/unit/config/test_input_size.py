"""Another size of the network's input: every place of every kind of config, by hand."""

from __future__ import annotations

import pytest

from executor.config.input_size import set_input_size
from executor.config.read import load_config
from executor.contract.errors import ParameterError

YOLOX_TINY = 'configs/yolox/yolox_tiny_8x8_300e_coco.py'
YOLOX_S = 'configs/yolox/yolox_s_8x8_300e_coco.py'
DARKNET53 = 'configs/yolox/yolox_darknet53_8x8_300e_coco.py'
YOLOV3 = 'configs/yolov3/yolov3_d53_8x8_273e_coco.py'
YOLOV5 = 'configs/yolov5/yolov5n_8x8_300e_coco.py'
EFFICIENTDET = 'configs/efficientdet/efficientdet_d0_8x8_300e_coco.py'
RETINANET = 'configs/retinanet/retinanet_r50_fpn_1x_coco.py'
FCOS = 'configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'
FASTER = 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
RTMDET = 'configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py'
DETR = 'configs/deformable_detr/deformable-detr_r50_16xb2-50e_coco.py'

_KEYS = ('scale', 'scales', 'img_scale', 'border', 'crop_size', 'size', 'pad_to_square', 'random_size_range')


def sizes_in(node):
    """`(type, value)` of each size at and below a part of a config, in order."""
    if isinstance(node, dict):
        found = [(node['type'], node[key]) for key in _KEYS if key in node and 'type' in node]
        return found + [size for part in node.values() for size in sizes_in(part)]
    return [size for part in node for size in sizes_in(part)] if isinstance(node, (list, tuple)) else []


@pytest.mark.parametrize(
    'name, wanted, training, test, batches',
    [
        (
            *(YOLOX_TINY, (320,)),  # 320 / 416 of 640 is 492.3; multi-scale training from 246.2
            [*(('Mosaic', (480, 480)), ('RandomAffine', (-240, -240))), *(('Resize', (480, 480)), ('Pad', True))],
            *([('Resize', (320, 320)), ('Pad', True)], [('BatchSyncRandomResize', (256, 480))]),
        ),
        *(
            (
                *(name, (512, 320)),  # multi-scale training is by height: half of 480 to 800
                [
                    *(('Mosaic', (512, 320)), ('RandomAffine', (-256, -160)), ('MixUp', (512, 320))),
                    *(('Resize', (512, 320)), ('Pad', (512, 320))),
                ],
                *([('Resize', (512, 320)), ('Pad', (512, 320))], [('BatchSyncRandomResize', (256, 384))]),
            )
            for name in (YOLOX_S, DARKNET53)
        ),
        (
            *(YOLOV3, (416,)),  # 320 * 416 / 608 is 218.9
            *([('RandomResize', [(224, 224), (416, 416)])], [('Resize', (416, 416))], []),
        ),
        (
            *(YOLOV5, (512, 320), [('Mosaic', (512, 320)), ('RandomAffine', (-256, -160))]),
            *([('Resize', (512, 320))], []),
        ),
        (
            *(EFFICIENTDET, (640, 384)),
            [('RandomResize', (640, 384)), ('RandomCrop', (640, 384)), ('Pad', (640, 384))],
            *([('Resize', (640, 384)), ('Pad', (640, 384))], []),
        ),
        *(
            (name, (640,), [('Resize', (640, 384))], [('Resize', (640, 384))], [])  # 800 * 640 / 1333 is 384.1
            for name in (RETINANET, FCOS, FASTER)
        ),
        (FASTER, (800, 800), [('Resize', (800, 800))], [('Resize', (800, 800))], []),
        (
            *(RTMDET, (320,)),
            [
                *(('CachedMosaic', (320, 320)), ('RandomResize', (640, 640)), ('RandomCrop', (320, 320))),
                *(('Pad', (320, 320)), ('CachedMixUp', (320, 320))),
            ],
            *([('Resize', (320, 320)), ('Pad', (320, 320))], []),
        ),
    ],
)
def test_all_sizes_follow(name, wanted, training, test, batches):
    config = load_config(name)
    set_input_size(config, wanted)
    assert sizes_in(config.train_dataloader.dataset) == training
    assert sizes_in(config.val_dataloader.dataset) == test
    assert sizes_in(config.model.data_preprocessor) == batches
    if 'test_dataloader' in config:
        assert sizes_in(config.test_dataloader.dataset) == test


def test_the_pipeline_of_the_last_epochs_follows():
    config = load_config(RTMDET)
    set_input_size(config, (320,))
    expected = [('RandomResize', (320, 320)), ('RandomCrop', (320, 320)), ('Pad', (320, 320))]
    assert sizes_in(config.custom_hooks) == expected


def test_sizes_that_lie_across_and_bounds_of_crops_follow():
    config = load_config(DETR)  # (480, 1333) and so on, where the test has (1333, 800)
    set_input_size(config, (672,))
    choices = config.train_dataloader.dataset.pipeline[3].transforms
    # 800 * 672 / 1333 is 403.3, so 416; 480 * 416 / 800 is 249.6.
    assert choices[0][0].scales[0] == (256, 672)
    assert choices[0][0].scales[-1] == (416, 672)
    assert choices[1][1].crop_size == (194, 302)  # 384 and 600 by 672 / 1333
    assert sizes_in(config.val_dataloader.dataset) == [('Resize', (672, 416))]


def test_the_size_of_the_config_and_none_change_nothing():
    for wanted in ((), (416,), (416, 416)):
        config = load_config(YOLOX_TINY)
        set_input_size(config, wanted)
        assert config.to_dict() == load_config(YOLOX_TINY).to_dict()


def test_a_package_is_changed_again_with_the_hooks_that_it_keeps():
    """What a training wrote at one size, and the schedule that the next one is scaled from."""
    config = load_config(RTMDET)
    config['published_schedule'] = {'custom_hooks': load_config(RTMDET).custom_hooks}
    set_input_size(config, (320, 192))
    set_input_size(config, (640,))  # in the proportion that it has by now
    expected = [('RandomResize', (640, 384)), ('RandomCrop', (640, 384)), ('Pad', (640, 384))]
    assert sizes_in(config.custom_hooks) == expected
    assert sizes_in(config['published_schedule']) == expected


@pytest.mark.parametrize(
    'name, wanted, words',
    [
        (YOLOX_TINY, (500,), 'must be multiples of 32 for this detector, found 500: use 480 or 512'),
        (YOLOX_TINY, (512, 330), 'multiples of 32 for this detector, found 512,330: use 512,320 or 512,352'),
        (EFFICIENTDET, (96,), 'must be multiples of 128 for this detector, found 96: use 128'),
        ('configs/ssd/ssd300_coco.py', (320,), 'its layers and anchors are made for one size: leave it empty'),
        (
            *('configs/centernet/centernet_r18_8xb16-crop512-140e_coco.py', (320,)),
            'input_size cannot change this detector: its test resizes images to no size: leave it empty',
        ),
    ],
)
def test_what_cannot_be(name, wanted, words):
    config = load_config(name)
    with pytest.raises(ParameterError) as caught:
        set_input_size(config, wanted)
    assert words in str(caught.value)
    assert caught.value.key == 'input_size'
