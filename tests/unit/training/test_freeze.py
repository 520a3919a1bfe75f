"""Which parts of a backbone stay as they are, and that they do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import init_default_scope
from torch import nn

from executor.config.read import load_config
from executor.contract.errors import ParameterError
from executor.models.families import register_parts
from executor.training.freeze import FreezeHook, backbone_parts, check_frozen, freeze, frozen_parts
from tests.support.task_folder import TaskFolder


@pytest.mark.parametrize(
    'name, expected',
    [
        ('configs/yolox/yolox_nano_8x8_300e_coco.py', 'stem stage1 stage2 stage3 stage4'),
        ('configs/yolov5/yolov5n_8x8_300e_coco.py', 'stem stage1 stage2 stage3 stage4'),
        (
            'configs/efficientdet/efficientdet_d0_8x8_300e_coco.py',
            'layers.0 layers.1 layers.2 layers.3 layers.4 layers.5',
        ),
        (
            'configs/yolov3/yolov3_d53_8x8_273e_coco.py',
            'conv1 conv_res_block1 conv_res_block2 conv_res_block3 conv_res_block4 conv_res_block5',
        ),
        ('configs/retinanet/retinanet_r18_fpn_1x_coco.py', 'conv1+bn1 layer1 layer2 layer3 layer4'),
        (
            'configs/retinanet/retinanet_swin-t-p4-w7_fpn_1x_coco.py',
            'patch_embed stages.0 stages.1 stages.2 stages.3 norm1+norm2+norm3',
        ),
    ],
)
def test_the_parts_of_a_backbone(name, expected):
    register_parts()
    init_default_scope('mmdet')
    backbone = MODELS.build({**load_config(name).model.backbone, 'init_cfg': None})
    parts = backbone_parts(backbone)
    assert [part.name for part in parts] == expected.split()
    inside = [parameter for part in parts for module in part.modules.values() for parameter in module.parameters()]
    assert len(inside) == len(list(backbone.parameters()))  # each once


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.tensor([0.1, 0.7, 1.3]))
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)) for _ in range(2)])

    def forward(self, image):
        image = self.relu(self.norm(self.conv(image * self.token.view(1, 3, 1, 1))))
        for stage in self.stages:
            image = stage(image)
        return image


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, image):
        return self.head(self.backbone(image))


@pytest.mark.parametrize(
    'wanted, learning',
    [
        ('none', ['backbone', 'head']),
        ('1', ['backbone.stages.0', 'backbone.stages.1', 'head']),
        ('2', ['backbone.stages.1', 'head']),
        ('3', ['head']),
        ('backbone', ['head']),
    ],
)
def test_frozen_parts_stay_to_the_last_bit_and_others_learn(wanted, learning):
    torch.manual_seed(0)
    model = Detector()
    freeze(model, wanted)
    hooks, averages = [], EMAHook('mmdet.ExpMomentumEMA', momentum=0.3, gamma=1, update_buffers=True)
    runner = SimpleNamespace(model=model, hooks=hooks, epoch=0, iter=0, rank=0)
    hook = FreezeHook(wanted)
    hooks += [hook, averages]
    averages.before_run(runner)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    hook.before_train_epoch(runner)
    for step in range(8):
        if step % 4 == 0:
            model.train()  # as at the beginning of each epoch
        hook.before_train_iter(runner, step)
        assert model.backbone.norm.training is (wanted == 'none')
        optimizer.zero_grad()
        model(torch.rand(2, 3, 12, 12)).square().mean().backward()
        optimizer.step()
        averages.after_train_iter(runner, step)
    hook.after_train_epoch(runner)
    for after in (model.state_dict(), averages.ema_model.module.state_dict()):
        changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
        assert changed == {name for name in before if name.startswith(tuple(learning))}


def test_what_is_frozen_is_told(caplog):
    with caplog.at_level('INFO', logger='executor'):
        freeze(Detector(), '2')
    # A token of 3, convolutions of 3 * 4 * 9 + 4 and twice 4 * 4 * 9 + 4, three norms of 8, a head of 5.
    assert caplog.messages == ['frozen of the backbone: conv+norm, stages.0; 279 of 440 parameters do not learn']


def test_what_averaging_has_rounded_is_put_back_before_it_is_looked_at():
    """Over ranks and over steps: on some stacks the mean of a number with itself is not always the number again."""
    model, averages = Detector(), EMAHook(update_buffers=True)
    runner = SimpleNamespace(model=model, hooks=[averages])
    averages.before_run(runner)
    averaged = averages.ema_model.module
    hook = FreezeHook('1')
    hook.before_train_epoch(runner)
    for parameter in (averaged.backbone.token, averaged.backbone.conv.weight, averaged.head.weight):
        parameter.data *= 1.0001
    model.backbone.norm.running_mean += 1e-7
    model.backbone.stages[0][1].running_mean += 1
    hook.before_val_epoch(runner)
    assert model.backbone.norm.running_mean.tolist() == [0] * 4
    assert model.backbone.stages[0][1].running_mean.tolist() == [1] * 4
    assert torch.equal(averaged.backbone.token, model.backbone.token)
    assert torch.equal(averaged.backbone.conv.weight, model.backbone.conv.weight)
    assert not torch.equal(averaged.head.weight, model.head.weight)


def test_more_stages_than_there_are():
    with pytest.raises(ParameterError) as caught:
        frozen_parts(Detector(), '4')
    words = 'freeze must be none, backbone or at most 3 for this detector, found 4: the stages of its backbone'
    assert str(caught.value) == f'{words} (Backbone) are conv+norm, stages.0, stages.1'


def test_a_detector_without_a_backbone():
    with pytest.raises(ParameterError, match=r'freeze: the detector \(Conv2d\) has no backbone: set it to none'):
        frozen_parts(nn.Conv2d(1, 1, 1), 'backbone')


@pytest.mark.parametrize(
    'freeze, backbone, has_weights, refused',
    [
        ('none', {}, False, False),
        (1, {}, False, True),
        ('backbone', {'init_cfg': None}, False, True),
        ('backbone', {'init_cfg': {'type': 'Kaiming'}}, False, True),
        ('backbone', {'init_cfg': [{'type': 'Pretrained', 'checkpoint': 'a.pth'}]}, False, False),
        ('backbone', {}, True, False),
    ],
)
def test_random_weights_are_not_frozen(ymir_task: TaskFolder, freeze, backbone, has_weights, refused):
    params = ymir_task.job(freeze=freeze).training
    config = Config({'model': {'type': 'YOLOX', 'backbone': backbone}})
    try:
        check_frozen(config, params, has_weights)
    except ParameterError as error:
        assert refused and f'freeze: {freeze} would keep random weights' in str(error)
    else:
        assert not refused
