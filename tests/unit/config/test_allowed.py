"""What a config may hold: what mmdet's own detectors need is allowed, nothing that names a file or code is."""

from __future__ import annotations

import functools
import os
from typing import Any, Iterator

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from executor.config.allowed import PACKAGE, refused_parts
from executor.config.find import mmdet_configs
from executor.config.plain import config_text
from executor.config.read import load_config
from tests.support.random_model import NANO

# Keys of the nano's config, and values that may not stand there.
NOT_ALLOWED = [
    *(('model.type', value) for value in ('os.system', 'a b', 3, 'YmirDataset', 'BertModel', 'BaseReID')),
    ('model.backbone._scope_', 'evil'),
    ('model.backbone.init_cfg.type', 'evil.Kaiming'),
    ('model.bbox_head.loss_cls.weights', '/etc/passwd'),
    ('model.teacher_ckpt', '/tmp/evil.pth'),
    ('model.bbox_head.loss_cls.reduction', 'x.py'),
    ('model.bbox_head.type', 'evil.YOLOXHead'),
    ('model.teacher_config', 'evil.py'),
    ('model.test_cfg.rpn_proposals', '../proposals.pkl'),
    *(('model.test_cfg.nms.type', value) for value in ('__import__("os").getcwd()', 'exec', 'YOLOX', 'batched_nms')),
    ('custom_hooks.0.type', 'subprocess.Popen'),
    *(('custom_hooks.1.type', value) for value in ('RFSearchHook', 'ProfilerHook', 'CheckpointHook', 'LoggerHook')),
    ('custom_hooks.0.out_dir', '/tmp'),
    ('custom_hooks.2.ema_type', 'YOLOX'),
    ('optim_wrapper.type', 'ApexOptimWrapper'),
    ('optim_wrapper.constructor', 'os.system'),
    ('optim_wrapper.clip_grad.type', 'os.system'),
    ('optim_wrapper.optimizer.type', 'ZeroRedundancyOptimizer'),
    ('param_scheduler.0.type', 'evil'),
    ('train_cfg.type', 'TeacherStudentValLoop'),
    ('train_dataloader.collate_fn.type', 'subprocess.getoutput'),
    ('train_dataloader.sampler.type', 'os.system'),
    ('train_dataloader.dataset.pipeline.0.file_client', 'x'),
    ('train_dataloader.dataset.pipeline.1.type', 'Albu'),
    ('val_dataloader.dataset.pipeline.0.type', 'mmdet.datasets.LoadImageFromFile'),
    ('val_dataloader.dataset.pipeline.0.type', 'InferencerLoader'),
]


# --- what the configs of mmdet need ---------------------------------------------------------------------------------


def box_detectors() -> Iterator[str]:
    """The configs of mmdet that learn boxes from images, and from nothing else."""
    others = ('glip', 'grounding_dino', 'track', 'sort', 'reid', 'vis', 'fast_rcnn', 'selfsup', 'openimages')
    for file in sorted(mmdet_configs().glob('configs/*/*.py')):
        folder = file.parent.name
        if not any(word in folder for word in others) and not folder.startswith('_'):
            yield file.relative_to(mmdet_configs()).as_posix()


def learns_masks(model: Any) -> bool:
    detector = model.get('detector', model)
    parts = {*detector, *(detector.get('roi_head') or ())}
    return bool(parts & {'mask_head', 'panoptic_head', 'panoptic_fusion_head'})


OTHERS = ('cascade_rpn', 'clrnet', 'guided_anchoring', 'lad', 'ld', 'libra_rcnn', 'misc', 'soft_teacher')


def test_nothing_that_mmdets_box_detectors_need_is_refused():
    checked, refused = 0, {}
    for name in box_detectors():
        try:
            config = load_config(name)
        except Exception:  # some of mmdet's configs cannot be read by mmdet itself
            continue
        if 'model' not in config or learns_masks(config['model']):
            continue
        checked += 1
        for part in refused_parts({key: config[key] for key in PACKAGE if key in config}):
            refused.setdefault(f'{part.key} = {part.value!r}', name)
    assert checked > 300
    # These learn from another detector, from proposals, from images without boxes, or lines, and not from boxes alone.
    left = {key: name for key, name in refused.items() if name.split('/')[1] not in OTHERS}
    assert left == {}


@pytest.mark.parametrize('config_file', [NANO, 'configs/retinanet/retinanet_r50_fpn_1x_coco.py'])
def test_what_a_training_saves_is_allowed(config_file, tmp_path):
    (tmp_path / 'saved.py').write_text(config_text(load_config(config_file)))
    saved, whole = load_config('saved.py', [tmp_path / 'saved.py']), load_config(config_file)
    assert set(saved) <= set(PACKAGE)
    assert saved['model']['bbox_head'] == whole['model']['bbox_head']
    assert saved['train_dataloader'] == whole['train_dataloader']
    assert saved['optim_wrapper'] == whole['optim_wrapper']


# --- what is not allowed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize('key, value', NOT_ALLOWED)
def test_what_is_not_on_the_list_is_refused_by_its_key(key, value):
    config = load_config(NANO)
    before = set(map(repr, refused_parts(config)))
    config.merge_from_dict({key: value})
    found = [part for part in refused_parts(config) if repr(part) not in before]
    assert (key, value) in [(part.key, part.value) for part in found]


@pytest.mark.parametrize(
    'word, allowed',
    [
        *((word, True) for word in ('', 'pytorch', 'on_input', 'regnetx_1.6gf', 'three words here', 'swin-t', '类别')),
        *((word, False) for word in ('a/b', '/a', '..', '.', 'a.b', 'x.pth', '1.a', 'a.1', '~', '$HOME', 'a:b')),
        *((word, False) for word in ('f()', 'a+b', 'a[0]', 'a\\b', 'a\nb', 'a\0', '"', 'http://a', 'a=b', '{{x}}')),
    ],
)
def test_a_text_in_a_model_is_a_word(word, allowed):
    refused = list(refused_parts({'model': {'type': 'YOLOX', 'style': [word]}}))
    assert [part.key for part in refused] == ([] if allowed else ['model.style.0'])


@pytest.mark.parametrize(
    'part',
    [
        {'type': 'Pretrained', 'checkpoint': 'torchvision://resnet50', 'prefix': 'backbone.'},
        [{'type': 'Pretrained', 'checkpoint': '/weights/resnet50.pth'}],
        {'checkpoint': 'https://example.com/pvt_tiny.pth'},
        {'type': 'Kaiming', 'layer': 'Conv2d', 'override': {'type': 'Pretrained', 'checkpoint': 'a.pth'}},
    ],
)
def test_weights_of_a_backbone_may_be_named_since_they_are_read_as_data(part):
    assert list(refused_parts({'model': {'type': 'YOLOX', 'backbone': {'init_cfg': part}}})) == []


@pytest.mark.parametrize('checkpoint', [3, ['a.pth'], {'type': 'evil'}])
def test_the_name_of_weights_is_text(checkpoint):
    model = {'type': 'YOLOX', 'init_cfg': {'type': 'Pretrained', 'checkpoint': checkpoint}}
    assert [part.key for part in refused_parts({'model': model})] == ['model.init_cfg.checkpoint']


@pytest.mark.parametrize('name', [1, ('a',), 'a/b', 'a b', ''])
def test_the_keys_of_a_model_are_names(name):
    assert [part.key for part in refused_parts({'model': {'type': 'YOLOX', name: 1}})] == [f'model.{name}']


@pytest.mark.parametrize(
    'key, value',
    [
        ('optim_wrapper.clip_grad', {'type': 'value', 'clip_value': 0.2}),
        ('optim_wrapper.clip_grad', {'max_norm': 35, 'norm_type': 2}),
        ('val_dataloader.dataset.pipeline.1', {'type': 'CenterCrop', 'crop_size': 64, 'pad_cfg': {'type': 'Pad'}}),
    ],
)
def test_what_a_part_takes_by_a_type_of_its_own_is_allowed(key, value):
    config = load_config(NANO)
    place, _, last = key.rpartition('.')
    part = functools.reduce(lambda part, word: part[int(word) if word.isdigit() else word], place.split('.'), config)
    part[int(last) if last.isdigit() else last] = value
    assert not [part for part in refused_parts(config) if part.key.startswith(key)]


def test_below_a_type_that_is_not_allowed_nothing_is():
    config = Config({'train_dataloader': {'dataset': {'type': 'Evil', 'dataset': {'type': 'YmirDataset'}}}})
    keys = [part.key for part in refused_parts(config)]
    assert keys == ['train_dataloader.dataset.type', 'train_dataloader.dataset.dataset']


def test_a_part_registered_later_is_known_at_once(monkeypatch):
    config = {'model': {'type': 'JustRegistered'}}
    assert [part.key for part in refused_parts(config)] == ['model.type']
    monkeypatch.setitem(MODELS.module_dict, 'JustRegistered', torch.nn.Identity)
    assert list(refused_parts(config)) == []


def test_what_is_defined_elsewhere_is_no_part_of_a_model(monkeypatch):
    monkeypatch.setitem(MODELS.module_dict, 'System', os.system)
    assert [part.key for part in refused_parts({'model': {'type': 'System'}})] == ['model.type']
